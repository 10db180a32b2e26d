"""Every address that can be read: all patterns of the URL resolver, and all GETs of the API's description.

Addresses are filled from the stage by the names of their arguments, so that a new page is read by itself;
an argument that nobody taught this module makes the proof fail.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from partwell.access.models import (
    AccountRecord,
    Credential,
    CredentialRotation,
    Cut,
    Ghost,
    Holder,
    System,
    Transfer,
)
from partwell.closure.audiences import Audience
from partwell.closure.audits.samples import list_samples
from partwell.departures.models import GuestLink, Notice
from partwell.insights.listing import Standing
from partwell.insights.tables import TABLES
from partwell.journeys.models import Attachment, Step, TemplateVersion
from partwell.people.actors import console_actor
from partwell.people.models import ApiToken, Contract, Person
from partwell.people.models import Client as ClientRow
from partwell.signals.models import Receiver, SecurityEvent
from tests.authorisation_stage import INSIDE, OWN, Scene, Stage
from tests.reading.canaries import PREFIX

API = "api/v1/"
PLANTED_STEPS = (OWN, "collect", INSIDE, "own-1")
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>|\{(\w+)\}|\(\?P<(\w+)>[^()]*\)")

AUDITED = "since=2026-10-01&until=2026-11-01"
# What is asked beside the plain address, by the name of the page.
QUERIES: dict[str, tuple[str, ...]] = {
    "find": (f"q={PREFIX}", "q=leaver"),
    "people": (f"q={PREFIX}",),
    "clients": (f"q={PREFIX}", "q=client"),
    "credentials": (f"q={PREFIX}", "only=retired"),
    "departures": ("state=closed", "state=withdrawn", f"q={PREFIX}", "kind=client"),
    "journey": ("role=hr",),
    "access_live": ("rev=old",),
    "audit": (AUDITED,),
    "audit_population": (AUDITED,),
    "api/v1/audits/population": (AUDITED,),
    "process": ("since=2026-01-01", "since=2026-01-01&audience=client"),
    "process_steps": tuple(f"since=2026-01-01&standing={each}" for each in Standing),
    "process_load": ("queue=hr", "queue=it_security", *(f"owner={number}" for number in range(1, 9))),
    "api/v1/process": ("since=2026-01-01",),
    "api/v1/process/steps": tuple(f"since=2026-01-01&standing={each}" for each in Standing),
    "api/v1/journeys": ("state=all", f"search={PREFIX}&state=all"),
    "api/v1/rotations": ("state=all",),
    "api/v1/transfers": ("state=all", "state=all&mine=true"),
    "api/v1/people": (f"search={PREFIX}",),
    "api/v1/clients": (f"search={PREFIX}",),
    "api/v1/journeys/{journey_id}/pack": tuple(f"audience={audience.value}" for audience in Audience),
}


@dataclass(frozen=True)
class Door:
    """One address as it is written down: its name, its path with arguments, and their names."""

    name: str
    route: str
    arguments: tuple[str, ...]

    @property
    def is_of_a_departure(self) -> bool:
        return bool({"departure_id", "journey_id"} & set(self.arguments))


@dataclass(frozen=True)
class Address:
    """One address that can be asked for; `scene` is the departure that it names, `audience` a pack's."""

    door: Door
    path: str
    scene: str = ""
    audience: str = ""


def all_doors() -> list[Door]:
    """Every pattern of the resolver but the API's, and every path of the API that answers a GET."""
    pages = _patterns(get_resolver().url_patterns, "")
    api = [door for method, door in api_calls() if method == "get"]
    return [*pages, *api, Door("openapi", f"{API}openapi.json", ())]


def api_calls() -> Iterator[tuple[str, Door]]:
    """Every call of the API, by its method."""
    described = Client(SERVER_NAME="localhost").get(f"/{API}openapi.json").json()["paths"]
    for path, methods in described.items():
        for method in methods:
            yield method, _door(path.lstrip("/"), path.lstrip("/"))


def _patterns(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[Door]:
    for pattern in patterns:
        route = before + str(pattern.pattern).removeprefix("^").removesuffix("$").removesuffix("\\Z")
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, route)
        elif not route.startswith(API):
            yield _door(pattern.name or route, route)


def _door(name: str, route: str) -> Door:
    return Door(name, route, tuple(next(filter(None, found)) for found in _ARGUMENT.findall(route)))


class Addresses:
    """Fills the arguments of doors from a stage; what belongs together stays together.

    With `most`, no more than so many addresses of a door that names no departure, with `deep` no more than so
    many of a door in each departure; those with words come first.
    """

    def __init__(self, stage: Stage, *, most: int | None = None, deep: int | None = None) -> None:
        self._scenes, self._most, self._deep = list(stage.scenes.values()), most, deep
        leavers = [scene.departure.person_id for scene in self._scenes if scene.is_restricted]
        people = Person.objects.exclude(pk__in=leavers).order_by("pk").values_list("pk", flat=True)
        keys = Step.objects.order_by("key").values_list("key", flat=True)
        notices = [str(pk) for pk in Notice.objects.order_by("given_at", "pk").values_list("pk", flat=True)]
        hidden = {str(pk) for pk in Notice.objects.filter(person__in=leavers).values_list("pk", flat=True)}
        # Those come first of which somebody is named who knows them.
        known = {str(pk) for pk in Holder.objects.values_list("credential_id", flat=True)}
        credentials = [str(pk) for pk in Credential.objects.values_list("pk", flat=True)]
        credentials.sort(key=lambda pk: pk not in known)
        self._office: dict[str, list[str]] = {
            "name": [system.name for system in System.objects.all()],
            "receiver": list(Receiver.objects.values_list("name", flat=True)),
            "signal_id": [str(pk) for pk in SecurityEvent.objects.values_list("pk", flat=True)],
            "person_id": [str(pk) for pk in (*leavers, *people)],
            "client_id": [str(pk) for pk in ClientRow.objects.values_list("pk", flat=True)],
            "contract_id": [str(pk) for pk in Contract.objects.values_list("pk", flat=True)],
            "template_id": sorted(set(TemplateVersion.objects.values_list("template_id", flat=True))),
            "token_id": [str(ApiToken.objects.values_list("pk", flat=True)[0])],
            "notice_id": sorted(notices, key=lambda pk: pk not in hidden),
            # One that there is, and one that there is not: both answer alike to whom it is not for.
            "cut_id": [*map(str, Cut.objects.values_list("pk", flat=True)), str(UUID(int=7))],
            "ghost_id": [*map(str, Ghost.objects.values_list("pk", flat=True)), "999999"],
            "credential_id": [*credentials, str(UUID(int=7))],
            "rotation_id": [
                *map(str, CredentialRotation.objects.values_list("pk", flat=True)),
                str(UUID(int=7)),
            ],
            "transfer_id": [
                *map(str, Transfer.objects.values_list("pk", flat=True)),
                str(UUID(int=7)),
            ],
            "sample_id": [*(str(each.id) for each in list_samples(actor=console_actor())), str(UUID(int=7))],
            "table": list(TABLES),
            "holder_id": [*map(str, Holder.objects.values_list("pk", flat=True))],
            "key": list(dict.fromkeys([*PLANTED_STEPS, *keys])),
            # Nobody's: what a guest's link and a reset of a password look like.
            "token": ["no-such-token"],
            "uidb36": ["1"],
        }

    def of(self, door: Door, *, scenes: set[str] | None = None) -> Iterator[Address]:
        """The addresses of a door, in these scenes or in all, with what can be asked beside each."""
        for address in self._filled(door, scenes):
            yield address
            for query in QUERIES.get(door.name, ()):
                audience = query.removeprefix("audience=") if query.startswith("audience=") else ""
                yield Address(door, f"{address.path}?{query}", address.scene, audience)
        if door.name == "departure_start":
            for pk in itertools.islice(self._office["notice_id"], self._most):
                yield Address(door, f"/{door.route}?notice={pk}")

    def _filled(self, door: Door, scenes: set[str] | None) -> Iterator[Address]:
        if not door.is_of_a_departure:
            choices = itertools.product(*(self._office[name] for name in door.arguments))
            for values in itertools.islice(choices, self._most):
                yield Address(door, _written(door, dict(zip(door.arguments, values, strict=True))))
            return
        for scene in self._scenes:
            if scenes is None or scene.name in scenes:
                for path in itertools.islice(_of_departure(door, scene), self._deep):
                    yield Address(door, path, scene.name)


def _of_departure(door: Door, scene: Scene) -> Iterator[str]:
    """One departure's pages: each step, each file of each step, each link, each system, each account."""
    pk = scene.departure.pk
    base = {"departure_id": str(pk), "journey_id": str(pk)}
    steps = Step.objects.filter(journey_id=pk)
    if "file_id" in door.arguments:
        for file in Attachment.objects.filter(step__in=steps).select_related("step").order_by("pk"):
            yield _written(door, {**base, "key": file.step.key, "file_id": str(file.file_id)})
    elif "key" in door.arguments:
        keys = sorted(steps.values_list("key", flat=True))
        for key in sorted(keys, key=lambda key: key not in PLANTED_STEPS):
            yield _written(door, {**base, "key": key})
    elif "link_id" in door.arguments:
        for link in GuestLink.objects.filter(departure=pk).order_by("pk"):
            yield _written(door, {**base, "link_id": str(link.pk)})
    elif "participant_id" in door.arguments:
        for part in scene.departure.participants.order_by("pk"):
            yield _written(door, {**base, "participant_id": str(part.pk)})
    elif "system" in door.arguments:
        for system in System.objects.all():
            yield _written(door, {**base, "system": system.name})
    else:
        yield _written(door, base)
    if door.name == "access_say":
        for account in AccountRecord.objects.filter(departure=pk).select_related("system").order_by("pk"):
            for what in ("", "impossible"):
                query = f"?system={account.system.name}&account={quote(account.external_id)}&as={what}"
                yield _written(door, base) + query


def _written(door: Door, values: dict[str, str]) -> str:
    return "/" + _ARGUMENT.sub(lambda found: values[next(filter(None, found.groups()))], door.route)
