"""A round of 1,000 people, 60 steps each: its preview, approval, start, board and recall.

python -m benchmarks.rounds [--check] [--queries]
"""

from __future__ import annotations

import sys
from datetime import timedelta

from benchmarks.measuring import Figure, look_at, milliseconds, own_installation, report

PEOPLE, STEPS = 1000, 60


def main() -> int:
    """Run it, and print the figures."""
    with own_installation():
        figures = _measure()
        return report(f"A round of {PEOPLE:,} people, {STEPS} steps each", figures)


def _measure() -> list[Figure]:
    from django.db import connection
    from django.test import Client

    from benchmarks.firm import LAST_DAY, NOW, make_firm
    from partwell.journeys.models import Journey, Step
    from partwell.journeys.rounds.carrying_out import go_on, start_some, withdraw_some
    from partwell.journeys.rounds.drift import drift_of
    from partwell.journeys.rounds.operations import approve_round, prepare_round, recall_round
    from partwell.journeys.rounds.preview import Terms, preview_round
    from partwell.people.actors import actor_for_user, engine_actor
    from partwell.people.models import User

    hr, leavers = make_firm(PEOPLE, template_steps=STEPS)
    executive = User.objects.get(email="executive@firm.example")
    actor, second = actor_for_user(hr), actor_for_user(executive, is_fresh=True)
    data = "\n".join(person.email for person in leavers).encode()
    terms = Terms("Closing Leeds", "measured", last_working_date=LAST_DAY, confidentiality="normal")
    figures = []

    def seconds(what: str, work: object, budget: float | None = None) -> None:
        assert callable(work)
        figures.append(Figure(what, milliseconds(work) / 1000, "s", budget))

    seconds(
        "planning 1,000 journeys: the preview",
        lambda: preview_round(terms=terms, data=data, actor=actor, now=NOW),
        30,
    )
    found = prepare_round(terms=terms, data=data, approvers=[executive], actor=actor, now=NOW)
    digest = drift_of(found, now=NOW).digest
    seconds("approving them", lambda: approve_round(found=found, digest=digest, actor=second, now=NOW))
    engine = engine_actor("round")
    seconds(
        "the first 25 of them started: progress is seen",
        lambda: start_some(found=found, actor=engine, now=NOW),
        2,
    )
    seconds("all others started, and their owners told", lambda: go_on(str(found.pk), NOW), 30)
    assert Journey.objects.count() == PEOPLE
    assert Step.objects.count() == PEOPLE * STEPS
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(hr)
    # A database that has not counted its new rows yet may read them in an unlucky order.
    for since in ("just after the start", "once the tables were counted"):
        for name, address in (("the board", ""), ("the late ones on it", "?only=late")):
            queries, took = look_at(browser, name, f"/rounds/{found.pk}/{address}", times=15)
            figures += [
                Figure(f"{name}, {since}: queries", queries, "", 14),
                Figure(f"{name}, {since}", took, "ms"),
            ]
        with connection.cursor() as cursor:
            cursor.execute("analyze")
    later = NOW + timedelta(days=1)
    recall_round(found=found, reason="The site stays open after all.", actor=actor, now=later)
    seconds("the first 25 of them withdrawn", lambda: withdraw_some(found=found, actor=engine, now=later))
    seconds("all others withdrawn", lambda: go_on(str(found.pk), later))
    return figures


if __name__ == "__main__":
    sys.exit(main())
