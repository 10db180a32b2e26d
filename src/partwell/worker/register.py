"""What the engine may run, and which room it comes from. The one place where names meet functions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings

from partwell import clock
from partwell.access import days_after, questions, reverification, runs, wake
from partwell.access.announcing import note_settled_signal
from partwell.access.ghosts import cutting, sweeping
from partwell.access.operations import cuts
from partwell.access.transfers import ending as transfers_ending
from partwell.access.transfers import running as transfers
from partwell.access.transfers import waking
from partwell.engine import registry
from partwell.evidence.sequencer import sequence_pending
from partwell.journeys.operations.advancing import advance, end_access
from partwell.journeys.rounds import carrying_out
from partwell.journeys.rounds.operations import GO_ON
from partwell.signals import delivery
from partwell.signals.security_events import DELIVER
from partwell.worker import mail

SWEEP_LOOKED_AT_EVERY_SECONDS = 300
# A signal is asked for when it is queued; this finds what is tried again, and what a lost worker left.
SIGNALS_EVERY_SECONDS = 2


def register_all() -> None:
    """Fill the engine's registry for a worker process.

    One line for each, in the words of `partwell.engine.registry`: `advance(…)` for `poke`,
    `workflow("name", …)` for `enqueue`, `timer("name", …)` for `set_timer`, `periodic("name", seconds, …)`
    for what runs on a schedule, `reconciler("name", …)` for what asks again when a worker starts.
    """
    registry.advance(_advance)
    for name, workflow in runs.WIRING.workflows.items():
        registry.workflow(name, workflow)
    for name, timer in {**runs.WIRING.timers, wake.END: _end_access}.items():
        registry.timer(name, timer)
    registry.timer(cuts.FIRE, cuts.fire_due_cut)
    registry.timer(cuts.REVIEW, cuts.warn_about_missing_review)
    registry.timer(cuts.STAGE, cuts.look_at_stage)
    registry.timer(GO_ON, carrying_out.go_on)
    registry.workflow(questions.ANSWER, questions.answer)
    registry.workflow(sweeping.SWEEP_SYSTEM, sweeping.sweep_system)
    registry.workflow(cutting.LOOK, cutting.look_at_ghost)
    registry.reconciler("access.proposed_cuts", cutting.reconcile)
    registry.timer(days_after.DUE, reverification.wake)
    registry.workflow(reverification.READ_AGAIN, reverification.read_again)
    registry.reconciler("access.reverifications", reverification.reconcile)
    registry.workflow(waking.HAND_OVER, transfers.hand_over)
    registry.workflow(waking.TAKE_BACK, transfers_ending.take_back)
    registry.timer(waking.DUE, transfers.wake)
    registry.timer(waking.ENDS, transfers_ending.wake)
    registry.reconciler("access.transfers", transfers.reconcile)
    registry.reconciler("access.sweeps", sweeping.reconcile)
    registry.periodic("access.sweep", SWEEP_LOOKED_AT_EVERY_SECONDS, _sweep)
    registry.reconciler("access.runs", runs.reconcile)
    registry.reconciler("access.questions", questions.reconcile)
    registry.workflow(DELIVER, _deliver_signals)
    registry.periodic("signals.due", SIGNALS_EVERY_SECONDS, _ask_for_due_signals)
    registry.periodic("evidence.sequence", 0.5, _sequence, gives_way=True)
    registry.periodic("mail.send", mail.SEND_EVERY_SECONDS, mail.send)
    registry.periodic("mail.tell", mail.TELL_EVERY_SECONDS, mail.tell)
    registry.periodic("mail.remind", mail.REMIND_EVERY_SECONDS, mail.remind)


def _advance(departure_id: str) -> None:
    advance(departure_id=UUID(departure_id), now=clock.now())


def _end_access(key: str, now: datetime) -> None:
    end_access(departure_id=UUID(key), now=now)


def _sweep() -> None:
    sweeping.sweep_when_due(every_hours=settings.GHOST_SWEEP_HOURS, now=clock.now())


def _deliver_signals(receiver_id: str) -> None:
    delivery.deliver(receiver_id, settled=note_settled_signal)


def _ask_for_due_signals() -> None:
    delivery.ask_for_due(now=clock.now())


def _sequence() -> None:
    sequence_pending(now=clock.now())
