"""Writes canary words into every personal or inside field of a departure, by operations where one writes it.

What no operation could write as a word (a reason that is a code, an account as a system names it) is put
into its row, and into an event as the operation would record it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from partwell.access.models import (
    AccountRecord,
    Alert,
    Change,
    Credential,
    CredentialRotation,
    Ghost,
    Holder,
    Plan,
    Question,
    System,
    SystemRun,
    Transfer,
)
from partwell.departures.models import Departure, Notice, Participant
from partwell.departures.states import Confidentiality
from partwell.documents.operations import store_file
from partwell.evidence.operations import departure_scope, record
from partwell.journeys.models import Journey, Round, RoundMember, Step
from partwell.journeys.operations import ending, steps
from partwell.journeys.rounds.queries import round_scope
from partwell.journeys.rounds.states import MemberState, RoundState
from partwell.journeys.template_queries import latest
from partwell.people.actors import console_actor
from partwell.people.models import Client, Contact, Contract, PersonAlias, User
from partwell.signals.models import Message, Receiver, SecurityEvent
from partwell.signals.outbox import queue_mail
from tests.authorisation_stage import Scene
from tests.factories import LAST_DAY, NOW
from tests.reading.canaries import Canaries

JOURNEY, ACCESS, EVIDENCE = "journeys.view", "access.view", "evidence.view"
OFFICE = ""
OWN_STEP = "write-note"


def plant_office(canaries: Canaries) -> list[System]:
    """Words in what belongs to no departure; returns the connected systems."""
    view = "systems.view"
    reference = canaries.plant("secret's reference", OFFICE, view)
    directory = System.objects.create(
        name="directory",
        title="Directory",
        connector="ldap",
        settings={
            "url": "ldaps://directory.harbour.example",
            "bind_dn": canaries.plant("system's setting", OFFICE, view),
            # Nothing of ours would store it like this; a page must not show it even then.
            "password": canaries.plant("secret in the clear", OFFICE),
        },
        created_at=NOW,
    )
    service = System.objects.create(
        name="service",
        title="Service",
        connector="scim",
        settings={"url": "https://service.harbour.example", "token": f"file:/run/{reference}"},
        created_at=NOW,
    )
    Receiver.objects.create(
        name="gateway",
        title="Gateway",
        endpoint="https://gateway.harbour.example/events",
        audience=canaries.plant("receiver's audience", OFFICE, "receivers.view"),
        signals=["session-revoked", "account-disabled"],
        created_at=NOW,
    )
    _plant_credential(canaries)
    _plant_round(canaries, Confidentiality.NORMAL, "rounds.view")
    _plant_round(canaries, Confidentiality.NEED_TO_KNOW)
    return [directory, service]


def _plant_round(canaries: Canaries, confidentiality: str, *gates: str) -> None:
    """A round of somebody in no department who is nobody on the stage; a need-to-know one has no participant,
    so nobody may read of it."""
    which = f"{confidentiality} round's"
    found = Round.objects.create(
        name=canaries.plant(f"{which} name", OFFICE, *gates),
        template=latest("small"),
        confidentiality=confidentiality,
        state=RoundState.RECALLED,
        digest="d" * 64,
        prepared_by=canaries.plant(f"{which} preparer", OFFICE, *gates),
        prepared_at=NOW,
        recall_reason=canaries.plant(f"{which} recall", OFFICE, *gates),
    )
    name = canaries.plant(f"{which} person", OFFICE, *gates)
    RoundMember.objects.create(
        round=found,
        position=1,
        name=name,
        email=f"{name}@harbour.example",
        last_working_date=LAST_DAY,
        steps=1,
        batch=0,
        state=MemberState.LEFT_OUT,
        note=canaries.plant(f"{which} note", OFFICE, *gates),
    )
    queue_mail(
        kind="step_assigned",
        to=f"{name}@harbour.example",
        subject=name,
        text=name,
        dedupe_key=f"planted:{name}",
        scope=round_scope(found.pk),
        now=NOW,
    )


def _plant_credential(canaries: Canaries) -> None:
    """A shared credential whose owner and holder are nobody on the stage."""
    view, change = "credentials.view", "credentials.change"
    client = Client.objects.create(name=canaries.plant("credential's client", OFFICE, "clients.view", view))
    credential = Credential.objects.create(
        name=canaries.plant("credential", OFFICE, view),
        used_at=canaries.plant("credential's place", OFFICE, view),
        login=canaries.plant("credential's login", OFFICE, view),
        owner_name=canaries.plant("credential's owner", OFFICE, view),
        client=client,
        client_name=client.name,
        direction="theirs",
        created_at=NOW,
    )
    Holder.objects.create(
        credential=credential,
        name=canaries.plant("who knows a credential", OFFICE, change),
        since_date=NOW.date(),
    )
    record(
        "credential.added",
        scope=f"credential:{credential.pk}",
        actor="stage",
        at=NOW,
        fields={"name": credential.name},
    )


@contextmanager
def open_again(scene: Scene) -> Iterator[Departure]:
    """The departure as it was before it ended; afterwards it has ended again."""
    rows = Departure.objects.filter(pk=scene.departure.pk)
    journeys = Journey.objects.filter(pk=scene.departure.pk)
    rows.update(state="active")
    journeys.update(state="active")
    yield rows.select_related("journey__template", "person", "client").get()
    if scene.is_closed:
        rows.update(state="closed")
        journeys.update(state="closed")


def helpers_step(scene: Scene) -> str:
    """Which step of ours a helper was asked to do."""
    return "inside" if scene.is_client else "collect"


def plant(scene: Scene, systems: list[System], canaries: Canaries) -> None:
    """Words in everything that one departure holds."""
    with open_again(scene) as departure:
        planted = _Planted(departure, scene, canaries)
        planted.facts()
        planted.participants()
        planted.steps()
        planted.access(systems)
        planted.endings()
        planted.notice()
        planted.record_and_mail()
        planted.register()


class _Planted:
    """One departure while its words are written."""

    def __init__(self, departure: Departure, scene: Scene, canaries: Canaries) -> None:
        self.departure, self.scene, self.canaries = departure, scene, canaries
        self.console = console_actor()

    def word(self, place: str, *gates: str) -> str:
        return self.canaries.plant(place, self.scene.name, *gates)

    def record(self, kind: str, **fields: object) -> None:
        record(kind, scope=departure_scope(self.departure.pk), actor="stage", at=NOW, fields=fields)

    def facts(self) -> None:
        # A helper reads for whose departure they help, unless only participants may know of it.
        helper = () if self.scene.is_restricted else ("helper",)
        name = self.word("subject's name", JOURNEY, "departing", *helper)
        address = self.word("subject's address", JOURNEY, "departing")
        reason, rehire = self.word("reason", "departure.reason"), self.word("rehire", "departure.rehire")
        facts = {
            "subject_name": name,
            "subject_email": f"{address}@harbour.example",
            "subject_title": self.word("subject's title", JOURNEY),
            "reason": reason,
            "rehire": rehire,
        }
        Departure.objects.filter(pk=self.departure.pk).update(**facts)
        self.departure.refresh_from_db()
        self.record("journey.started", subject=name, reason=reason, steps=["inside"])
        self.record("departure.edited", reason_before="misconduct", reason_after=reason)
        self.record("departure.edited", rehire_before="undecided", rehire_after=rehire)

    def participants(self) -> None:
        name = self.word("participant's name", JOURNEY)
        address = self.word("participant's address", JOURNEY)
        self.owner = User.objects.create_user(f"{address}@harbour.example", name=name)
        Participant.objects.create(departure=self.departure, user=self.owner, capacity="legal", added_at=NOW)

    def steps(self) -> None:
        kinds = {
            "inside": ("step", ()),
            OWN_STEP: ("own step", ("departing",)),
            helpers_step(self.scene): ("helper's step", ("helper",)),
        }
        for key, (place, outside) in kinds.items():
            step, gates = self._find(key), (JOURNEY, *outside)
            assert step is not None
            step.title = self.word(f"{place}'s title", *gates)
            guidance = self.word(f"{place}'s guidance", *gates)
            step.guidance = f"Write {guidance} down."
            step.save()
            self._say(step)
            self._attach(step, place, gates)
        if step := self._find("shared"):
            steps.complete_step(step=step, note=self.word("note", JOURNEY), actor=self.console, now=NOW)
        if step := self._find("pay"):
            reason = f"Because {self.word('skip reason', JOURNEY)}"
            steps.skip_step(step=step, reason=reason, actor=self.console, now=NOW)
        steps.add_step(
            departure=self.departure,
            title=self.word("added step's title", JOURNEY),
            phase=5,
            due_at=NOW - timedelta(days=7),
            owner=self.owner,
            guidance=self.word("added step's guidance", JOURNEY),
            actor=self.console,
            now=NOW,
        )

    def _find(self, key: str) -> Step | None:
        return Step.objects.filter(journey_id=self.departure.pk, key=key).first()

    def _say(self, step: Step) -> None:
        text = self.word("comment", JOURNEY)
        steps.comment_on_step(step=step, text=text, actor=self.console, now=NOW)

    def _attach(self, step: Step, place: str, gates: tuple[str, ...]) -> None:
        name, content = self.word(f"{place}'s file", *gates), self.word(f"{place}'s file's content", *gates)
        file = store_file(
            name=f"{name}.txt",
            stream=io.BytesIO(content.encode()),
            actor_label="stage",
            now=NOW,
        )
        steps.attach_file(step=step, file=file, actor=self.console, now=NOW)

    def access(self, systems: list[System]) -> None:
        plan = Plan.objects.create(
            departure=self.departure,
            version=1,
            state="applied",
            checksum="c" * 64,
            answers={
                system.name: {"found": "unreachable", "reason": self.word("answer", ACCESS)}
                for system in systems
            },
            reason=self.word("plan's reason", ACCESS),
            made_at=NOW,
            made_by="stage",
            requested_by_id=0,
            approved_at=NOW,
            approved_by="stage",
            applied_at=NOW,
        )
        for system, state in zip(systems, ("failed", "manual"), strict=True):
            self._account(plan, system, state)
        self._rotation()
        self._handed_over(systems[0])
        Question.objects.create(
            kind="plan", departure=self.departure, state="refused", answer=self.word("question", ACCESS),
            asked_at=NOW, asked_by="stage", asked_by_id=0, ended_at=NOW,
        )  # fmt: skip
        alert = self.word("alert", ACCESS)
        Alert.objects.create(departure=self.departure, kind="no_approved_plan", text=alert, raised_at=NOW)
        self.record("access.alert_raised", alert="no_approved_plan", text=alert)

    def _rotation(self) -> None:
        """A secret that has been changed for this departure."""
        credential = Credential.objects.create(
            name=self.word("secret to change", ACCESS, "credentials.view"), created_at=NOW
        )
        reason = self.word("how it was changed", ACCESS)
        CredentialRotation.objects.create(
            credential=credential,
            departure=self.departure,
            owner_name=self.word("who changes a secret", ACCESS),
            state="attested",
            reason=reason,
            settled_by=self.word("who changed a secret", ACCESS),
            settled_at=NOW,
            opened_at=NOW,
        )
        self.record("credential.rotation_attested", credential=credential.name, reason=reason, told=0)

    def _handed_over(self, system: System) -> None:
        """Something that somebody was to get, and did not."""
        reason = self.word("what came of a hand-over", ACCESS)
        Transfer.objects.create(
            departure=self.departure, system=system, system_title=system.title, kind="tickets",
            what=self.word("what is handed over", ACCESS), reason=reason, opened_at=NOW, state="failed",
            successor_name=self.word("successor", ACCESS),
        )  # fmt: skip
        self.record("transfer.failed", handed="tickets", system_title=system.title, reason=reason)

    def _account(self, plan: Plan, system: System, state: str) -> None:
        # What the leaving side reads of its accounts in its own pack, and nowhere else.
        external_id = self.word("account", ACCESS)
        account = AccountRecord.objects.create(
            departure=self.departure,
            system=system,
            external_id=external_id,
            login=self.word("login", ACCESS),
            display_name=self.word("display name", ACCESS),
            matched_by=self.word("match", ACCESS),
            entitlements=[{"id": "1", "name": self.word("group", ACCESS)}],
            link="ours",
            state=state,
            reason=self.word("account's reason", ACCESS),
            snapshot={"attribute": self.word("snapshot", ACCESS)},
            snapshot_taken_at=NOW,
            last_read_at=NOW,
        )
        # Whoever may read of the account may read that it came back, and nobody else.
        Ghost.objects.create(
            system=system,
            external_id=external_id,
            login=account.login,
            display_name=account.display_name,
            kind="came_back",
            departure=self.departure,
            first_seen_at=NOW,
            last_seen_at=NOW,
        )
        reason, proof = self.word("change's reason", ACCESS), self.word("proof", ACCESS)
        Change.objects.create(
            plan=plan,
            account=account,
            verb="suspend",
            position=1,
            reversibility="reversible",
            expects={"attribute": self.word("expectation", ACCESS)},
            authority="approval",
            state=state,
            reason=reason,
            requested_at=NOW,
            receipt={"outcome": "accepted", "request_id": self.word("receipt", ACCESS)},
            proof={"read": proof},
        )
        run_reason = self.word("run's reason", ACCESS)
        SystemRun.objects.create(
            plan=plan, system=system, state="ended", reason=run_reason, started_at=NOW, ended_at=NOW
        )
        what = {"system": system.name, "account": external_id, "verb": "suspend", "restores": False}
        self.record("access.failed", **what, reason=reason)
        self.record("access.verified", **what, proof={"read": proof})
        note = self.word("attestation", ACCESS)
        self.record("access.attested", system=system.name, account=external_id, note=note)

    def endings(self) -> None:
        reason = self.word("override's reason", JOURNEY)
        ending.request_override(
            departure=self.departure, reason=f"Because of {reason}", actor=self.console, now=NOW
        )
        if self.scene.is_closed:
            withdrawal = self.word("withdrawal's reason", JOURNEY)
            Journey.objects.filter(pk=self.departure.pk).update(
                end_reason=withdrawal, override_approved_by=self.word("who approved", JOURNEY)
            )
            self.record("journey.withdrawn", withdrawal_reason=withdrawal)

    def notice(self) -> None:
        """A notice about the one who leaves already, from a manager who cannot know it."""
        Notice.objects.create(
            person=self.departure.person,
            client=self.departure.client,
            subject_name=self.word("notice's subject", "notice"),
            scenario="small",
            notice_date=NOW.date(),
            last_working_date=LAST_DAY,
            reason=self.word("notice's reason", "notice"),
            given_by=self.word("who gave notice", "notice"),
            given_at=NOW,
        )

    def record_and_mail(self) -> None:
        self.record("something.happened", detail=self.word("unknown event", EVIDENCE))
        kept = f"planted:{self.departure.pk}"
        queue_mail(
            kind="step_due",
            to="outbox@nowhere.example",
            subject=self.word("mail's subject"),
            text=self.word("mail's text"),
            dedupe_key=kept,
            scope=departure_scope(self.departure.pk),
            now=NOW,
        )
        Message.objects.filter(dedupe_key=kept).update(last_error=self.word("mail's error"))
        SecurityEvent.objects.create(
            receiver=Receiver.objects.get(),
            signal="session-revoked",
            jti=self.departure.pk.hex,
            dedupe_key=kept,
            scope=departure_scope(self.departure.pk),
            created_at=NOW,
            give_up_at=NOW,
            next_attempt_at=NOW,
        )

    def register(self) -> None:
        if person := self.departure.person:
            alias = self.word("alias in the register", "people.view")
            PersonAlias.objects.create(person=person, email=f"{alias}@harbour.example")
        if client := self.departure.client:
            Contract.objects.create(client=client, title=self.word("contract", "clients.view"))
            address = self.word("contact", "clients.view")
            Contact.objects.create(client=client, email=f"{address}@client.example")
