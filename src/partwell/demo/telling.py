"""Telling the past of one departure: who did what on which day, through the operations that people use.

A `Tale` knows the days around the demo's today. `catch_up` completes what would have been done until a
moment, except what is said to be held up; everything else a story says itself.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from zlib import crc32

from partwell import clock
from partwell.access import runs
from partwell.access.models import AccountRecord, Plan, SystemRun
from partwell.access.operations import (
    approve_plan,
    attest_account,
    enforcement,
    make_plan,
    verify_plan,
)
from partwell.access.states import RunState
from partwell.access.transfers import receipts, running
from partwell.access.transfers.operations import name_for_all_open
from partwell.demo import words
from partwell.demo.firm import address
from partwell.departures.models import Departure
from partwell.documents.operations import store_file
from partwell.journeys.intake import Intake
from partwell.journeys.models import Step
from partwell.journeys.operations import advancing, ending, starting, steps
from partwell.journeys.states import StepState
from partwell.journeys.step_kinds import rule_of
from partwell.journeys.template.model import EvidenceKind
from partwell.people.actors import Actor, Channel, actor_for_user
from partwell.people.models import Client, Contact, Person, User
from partwell.people.roles import Role

LIVE_RUNS = (RunState.RUNNING, RunState.WAITING)
# How a run's further looks follow one another, in the told past.
NEXT_LOOK = timedelta(seconds=45)


def playing(name: str) -> Actor:
    """Somebody of the firm, signed in a moment ago with their second factor."""
    return actor_for_user(User.objects.get(email=address(name)), channel=Channel.WEB, is_fresh=True)


class Tale:
    """One departure of the demo, told forwards. `now` is when the demo is built; nothing is told after it."""

    def __init__(self, *, now: datetime, today: date) -> None:
        self.now = now
        self.today = today
        self.departure: Departure
        self._held: frozenset[str] = frozenset()

    def day(self, offset: int) -> date:
        """The date so many days from the demo's today, moved back to a day on which everybody works."""
        day = self.today + timedelta(days=offset)
        while not all(clock.is_working_day(day, country) for country in ("DE", "GB")):
            day -= timedelta(days=1)
        return day

    def at(self, offset: int, wall: str, timezone: str = "Europe/Berlin") -> datetime:
        """The moment when clocks there show `wall` on that day; never later than the demo's now."""
        return min(clock.at_local(self.day(offset), time.fromisoformat(wall), timezone), self.now)

    def starts(
        self,
        template: str,
        *,
        by: str,
        notice: int,
        last_day: date,
        person: str = "",
        client: str = "",
        reason: str = "",
        access_end_at: datetime | None = None,
        confidentiality: str = "",
        wall: str = "09:40",
    ) -> Tale:
        """Start the journey on the day of the notice."""
        intake = Intake(
            person=Person.objects.get(email=address(person)) if person else None,
            client=Client.objects.get(client_ref=client) if client else None,
            last_working_date=last_day,
            notice_date=self.day(notice),
            reason=reason,
            access_end_at=access_end_at,
            confidentiality=confidentiality,
        )
        journey = starting.start(
            template_id=template, intake=intake, actor=playing(by), now=self.at(notice, wall)
        )
        self.departure = journey.departure
        return self

    def step(self, key: str) -> Step:
        """One step, afresh."""
        return Step.objects.select_related("journey__departure__client", "owner").get(
            journey_id=self.departure.pk, key=key
        )

    def leaver(self) -> Actor:
        """The leaving side, on their own page by link."""
        name = self.departure.subject_name
        if self.departure.client is not None:
            contact = Contact.objects.filter(client=self.departure.client).first()
            name = contact.name if contact else name
        return Actor(
            label=f"{name} <{self.departure.subject_email}>",
            channel=Channel.GUEST,
            departure_id=self.departure.pk,
            guest_capacity=Role.DEPARTING.value,
        )

    def hold(self, *keys: str) -> Tale:
        """These steps stay open, whatever their dates say."""
        self._held |= frozenset(keys)
        return self

    def catch_up(self, until: datetime, *, also: Collection[str] = ()) -> Tale:
        """Complete, in order, whatever was due until then and `also`, by those whose steps they are."""
        until = min(until, self.now)
        progressed = True
        while progressed:
            progressed = False
            for step in self._ready(until, also):
                self.completes(step.key, at=self._plausible(step, until))
                progressed = True
        return self

    def _ready(self, until: datetime, also: Collection[str]) -> list[Step]:
        pending = Step.objects.filter(journey_id=self.departure.pk, state=StepState.OPEN)
        return [
            step
            for step in pending.order_by("due_at", "position")
            if step.key not in self._held
            and rule_of(step.kind).by_hand
            and (step.due_at <= until or step.key in also)
        ]

    def _plausible(self, step: Step, until: datetime) -> datetime:
        """Some working hours before it was due, and after all that it needed; the same in every demo."""
        seed = crc32(f"{self.departure.subject_name}:{step.key}".encode())
        early = step.due_at - timedelta(hours=1 + seed % 22, minutes=seed % 60)
        local = clock.today_in(self.departure.timezone, now=early)
        if local.weekday() > 4:
            local -= timedelta(days=local.weekday() - 4)
        wall = time(9 + seed % 8, seed % 60)
        moment = clock.at_local(local, wall, self.departure.timezone)
        needed = Step.objects.filter(journey_id=self.departure.pk, key__in=step.needs)
        settled = [before.settled_at for before in needed if before.settled_at is not None]
        floor = max([step.journey.started_at, *settled]) + timedelta(minutes=7 + seed % 50)
        return min(max(moment, floor), until)

    def completes(self, key: str, *, at: datetime, note: str = "", by: str = "") -> Tale:
        """Complete one step with the evidence that it asks for."""
        step, at = self.step(key), min(at, self.now)
        actor = playing(by) if by else self._owner(step, at)
        evidence = EvidenceKind(step.evidence)
        if evidence is EvidenceKind.FILE:
            self.attaches(key, by=actor, at=at)
        link = words.link_of(self.departure) if evidence is EvidenceKind.LINK else ""
        wanted = note or words.note_of(step) if evidence is not EvidenceKind.NONE or note else ""
        steps.complete_step(step=step, actor=actor, now=at, note=wanted, link=link)
        return self

    def attaches(self, key: str, *, by: Actor, at: datetime) -> Tale:
        """Attach the file that the step is about."""
        step = self.step(key)
        name, content = words.file_of(step)
        stored = store_file(name=name, stream=io.BytesIO(content), actor_label=by.label, now=at)
        steps.attach_file(step=step, file=stored, actor=by, now=at)
        return self

    def _owner(self, step: Step, at: datetime) -> Actor:
        """Whoever has the step; a step of a team, or of nobody, gets its usual owner first."""
        if step.role == Role.DEPARTING:
            return self.leaver()
        if step.owner is not None and step.owner.is_active:
            return actor_for_user(step.owner, channel=Channel.WEB, is_fresh=True)
        actor = playing(words.USUAL[Role(step.role)])
        if step.queue:
            steps.claim_step(step=step, actor=actor, now=at - timedelta(minutes=5))
        else:
            to = User.objects.get(email=address(words.USUAL[Role(step.role)]))
            steps.reassign_step(step=step, to=to, actor=playing("Amara Osei"), now=at - timedelta(minutes=5))
        return actor

    def says(self, key: str, text: str, *, by: str, at: datetime) -> Tale:
        """Comment on a step."""
        steps.comment_on_step(step=self.step(key), text=text, actor=playing(by), now=at)
        return self

    def adds(self, title: str, *, phase: int, by: str, at: datetime) -> Tale:
        """Add a step of one's own, due by the end of the demo's today."""
        due_at = clock.at_local(self.today, time(23, 0), "Europe/Berlin")
        steps.add_step(
            departure=self.departure,
            title=title,
            phase=phase,
            due_at=due_at,
            owner=User.objects.get(email=address(by)),
            actor=playing(by),
            now=at,
        )
        return self

    def skips(self, key: str, reason: str, *, by: str, at: datetime) -> Tale:
        """Leave a step out, with the reason."""
        steps.skip_step(step=self.step(key), reason=reason, actor=playing(by), now=at)
        return self

    def plans_access(self, *, by: str, at: datetime) -> Plan:
        """Ask all systems what the leaver has there."""
        with clock.standing_at(at):
            return make_plan(departure=self.departure, actor=playing(by), now=at)

    def approves(self, plan: Plan, *, by: str, at: datetime) -> Tale:
        """Approve the plan as the second person; the journey notices."""
        approve_plan(plan=plan, checksum=plan.checksum, actor=playing(by), now=at)
        advancing.advance(departure_id=self.departure.pk, now=at)
        return self

    def access_ends(self, *, at: datetime, leave: Collection[str] = ()) -> Tale:
        """The minute of access end, as the worker's timer plays it; runs in `leave` stay for the worker."""
        with clock.standing_at(at):
            advancing.end_access(departure_id=self.departure.pk, now=at)
        # It has been played here, so the timers must not play it again.
        enforcement.unschedule(self.departure)
        return self.runs_go_on(at=at, leave=leave)

    def runs_go_on(self, *, at: datetime, leave: Collection[str] = ()) -> Tale:
        """Play the worker until nothing is due any more, then let the journey look at itself."""
        mine = SystemRun.objects.filter(plan__departure=self.departure, state__in=LIVE_RUNS).exclude(
            system__name__in=leave
        )
        for look in range(8):
            moment = min(at + look * NEXT_LOOK, self.now)
            due = [run for run in mine.all() if run.next_at is None or run.next_at <= moment]
            for position, run in enumerate(due):
                with clock.standing_at(min(moment + timedelta(seconds=2 + position), self.now)):
                    runs.run_system(str(run.plan_id), str(run.system_id))
            if not mine.all().exists():
                break
        advancing.advance(departure_id=self.departure.pk, now=min(at + 8 * NEXT_LOOK, self.now))
        return self

    def reads_back(self, *, by: str, at: datetime) -> Tale:
        """Read all accounts afresh."""
        with clock.standing_at(at):
            verify_plan(departure=self.departure, actor=playing(by), now=at)
        return self

    def attests(self, system: str, note: str, *, by: str, at: datetime) -> Tale:
        """A person says that the accounts in a system that Partwell cannot reach are gone."""
        for account in AccountRecord.objects.filter(departure=self.departure, system__name=system):
            attest_account(account=account, note=note, actor=playing(by), now=at)
        advancing.advance(departure_id=self.departure.pk, now=at)
        return self

    def names_successor(self, name: str, *, by: str, at: datetime) -> Tale:
        """One successor for all that systems can hand over."""
        with clock.standing_at(at):
            name_for_all_open(departure=self.departure, email=address(name), actor=playing(by), now=at)
        return self

    def hands_over(self, *, at: datetime) -> Tale:
        """Play the worker for what was due after access end."""
        for transfer_id in self.departure.transfers.values_list("pk", flat=True):
            with clock.standing_at(at):
                running.hand_over(str(transfer_id))
        return self

    def accepts(self, *, at: datetime) -> Tale:
        """The successor says that they have all of it."""
        for transfer in self.departure.transfers.select_related("departure"):
            receipts.accept(transfer=transfer, actor=playing(transfer.successor_name), now=at)
        return self

    def closes(self, *, by: str, at: datetime) -> Tale:
        """Close the journey with nothing open."""
        ending.close(departure=self.departure, actor=playing(by), now=at)
        return self
