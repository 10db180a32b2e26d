"""The whole stage of the reading proof: departures full of words, everybody who reads, all addresses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from partwell.access.models import Alert
from partwell.closure.audits.samples import draw
from partwell.departures.models import Departure, GuestLink, Notice
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope
from partwell.evidence.sequencer import sequence_pending
from partwell.people.actors import console_actor
from partwell.signals.models import Message, SecurityEvent
from tests.authorisation_oracle import held
from tests.authorisation_stage import Scene, Stage, build
from tests.factories import NOW, make_person
from tests.reading import planting
from tests.reading.asking import ask
from tests.reading.canaries import Canaries
from tests.reading.doors import Address, Addresses, Door, all_doors
from tests.reading.readers import Reader, readers_of, reading_as

HIDDEN = "restricted"
"""The need-to-know departure that is under way."""

# Those who differ from each other in something that the rules ask about; the others read with `--long`.
SHORT = frozenset(
    {
        *(f"granted {role}" for role in ("hr", "hr here", "hr elsewhere", "it_security", "executive")),
        *(f"granted {role}" for role in ("finance", "admin", "account_manager")),
        *("takes part as it_security", "takes part as step_owner", "hr taking part"),
        *("line_manager of restricted", "account_manager of client", "stranger", "nobody", "token read"),
        *("leaver of restricted", "mighty leaver of normal", "mighty leaver of normal by another account"),
        *(f"{guest} guest of {scene}" for guest in ("departing", "helper") for scene in ("normal", HIDDEN)),
        "departing guest of client",
    }
)
# Who reads of more departures than one of each kind, and who of fewer, because none exists for them.
READS = {
    "granted hr": {"normal", HIDDEN, "closed", "client"},
    "granted hr elsewhere": {"normal"},
    "granted account_manager": {"normal"},
}
# Who reads the pages of one's own account, and the description of the API.
ALIKE = {"stranger", "nobody", "granted admin"}


@dataclass
class ReadingStage:
    """Departures, words, readers and doors. `forms` are the doors that take forms alone; `everybody` reads,
    and reads everything, when `long` says so, and otherwise the `readers` read."""

    stage: Stage
    canaries: Canaries
    everybody: list[Reader]
    readers: list[Reader]
    doors: list[Door]
    forms: list[Door]
    long: bool

    def scenes_for(self, reader: Reader) -> set[str]:
        """The departures whose pages this reader tries."""
        if self.long:
            return set(self.stage.scenes)
        own = {reader.player.only_in, reader.player.leaves, reader.player.linked_to} - {""}
        return READS.get(reader.name, {"normal", HIDDEN}) | own

    def addresses_for(self, reader: Reader) -> list[Address]:
        """What this reader tries to read. What everybody sees alike is read by few in a short run."""
        doors = [door for door in self.doors if self.long or reader.name in ALIKE or not _is_for_all(door)]
        return self.addresses(self.scenes_for(reader), doors=doors)

    def addresses(self, scenes: set[str], *, doors: list[Door] | None = None, deep: int = 4) -> list[Address]:
        """All addresses of the office, and those of some departures; in a short run, `deep` of each door."""
        made = Addresses(self.stage) if self.long else Addresses(self.stage, most=2, deep=deep)
        return [address for door in doors or self.doors for address in made.of(door, scenes=scenes)]

    def reader(self, name: str) -> Reader:
        """The reader of this name."""
        return next(reader for reader in self.everybody if reader.name == name)

    @property
    def hidden(self) -> Scene:
        """The need-to-know departure that is under way."""
        return self.stage.scenes[HIDDEN]

    @property
    def outsiders(self) -> list[Reader]:
        """Those for whom the hidden departure does not exist, and the one who leaves without knowing it."""
        return [r for r in self.readers if held(r.player, self.hidden) <= {"departing"} and not r.mailbox]


def build_reading_stage(*, long: bool) -> ReadingStage:
    """All of it, in the caller's transaction."""
    stage, canaries = build(), Canaries()
    # Guests of ours come in by links whose words we know.
    GuestLink.objects.all().delete()
    systems = planting.plant_office(canaries)
    for scene in stage.scenes.values():
        planting.plant(scene, systems, canaries)
    everybody = readers_of(stage, canaries)
    readers = [reader for reader in everybody if long or reader.name in SHORT]
    assert long or {reader.name for reader in readers} == SHORT
    make_person("Left Before", left_on_date=date(2026, 10, 30))
    draw(since=date(2026, 10, 1), until=date(2026, 11, 1), actor=console_actor(), now=NOW)
    sequence_pending(now=NOW)
    doors, forms = _that_open(stage, readers[0])
    return ReadingStage(stage, canaries, everybody, readers, doors, forms, long)


def unmake(scene: Scene) -> None:
    """Take a departure out of the world, as if it had never been."""
    Notice.objects.filter(person=scene.departure.person).delete()
    Message.objects.filter(scope=departure_scope(scene.departure.pk)).delete()
    SecurityEvent.objects.filter(scope=departure_scope(scene.departure.pk)).delete()
    Event.objects.filter(scope=departure_scope(scene.departure.pk)).delete()
    Alert.objects.filter(departure=scene.departure).delete()
    Departure.objects.filter(pk=scene.departure.pk).delete()


def _is_for_all(door: Door) -> bool:
    return door.route.startswith("account/") or door.name == "openapi"


def _that_open(stage: Stage, reader: Reader) -> tuple[list[Door], list[Door]]:
    """The doors that open to reading, and those that take nothing but forms."""
    doors: list[Door] = []
    forms: list[Door] = []
    made = Addresses(stage)
    with reading_as(reader) as browser:
        for door in all_doors():
            first = next(made.of(door))
            (forms if ask(browser, reader, first.path).status_code == 405 else doors).append(door)
    return doors, forms
