"""The departures of colleagues in the demo firm, each in another phase, some in trouble."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from partwell import clock
from partwell.demo.firm import address
from partwell.demo.systems import SLOW, misbehave, store
from partwell.demo.telling import Tale, playing
from partwell.journeys.intake import Intake
from partwell.journeys.operations import ending, starting
from partwell.people.models import Person

RESIGNATION, RETIREMENT = "staff-resignation", "staff-retirement"
AMARA, TOMASZ, PRIYA, HELEN = "Amara Osei", "Tomasz Wrona", "Priya Raman", "Helen Marsh"
SUCCESSOR = "Joon-ho Baek"


def tell_all(*, now: datetime, today: date) -> None:
    """Every departure of a colleague, and the notice that waits for HR."""
    for tell in (
        closed_with_evidence,
        waiting_for_an_override,
        an_account_came_back,
        final_settlement,
        withdrawn,
        leaving_within_days,
        handover_blocked,
        planned_early,
        for_cause,
        just_announced,
        being_cut,
        a_notice_waits,
    ):
        tell(Tale(now=now, today=today))


def _cut(tale: Tale, *, at: datetime, badge: bool = True, accepted: bool = True) -> None:
    """Planned by Tomasz, approved by Priya, cut on the minute; what only people can do is attested, and what
    was handed over is accepted, unless the successor has not looked yet."""
    end = tale.departure.access_end_at
    plan = tale.plans_access(by=TOMASZ, at=end - timedelta(days=2, hours=3))
    tale.catch_up(end - timedelta(days=1, hours=20), also=("check-access-plan",))
    tale.names_successor(SUCCESSOR, by=TOMASZ, at=end - timedelta(days=1, hours=12))
    tale.approves(plan, by=PRIYA, at=end - timedelta(days=1, hours=4))
    tale.catch_up(end)
    tale.access_ends(at=end)
    tale.hands_over(at=end + timedelta(minutes=20))
    if accepted:
        tale.accepts(at=end + timedelta(hours=2))
    tale.attests("figma", "The seat was removed; the list of members no longer shows them.", by=TOMASZ, at=at)
    if badge:
        tale.attests("badges", "Reception blocked the badge and keeps it in the safe.", by=TOMASZ, at=at)


def closed_with_evidence(tale: Tale) -> None:
    """Owen Pritchard left weeks ago; everything was proven, and the journey is closed."""
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person="Owen Pritchard",
        notice=-92,
        last_day=tale.day(-62),
        reason="education",
    )
    _cut(tale, at=tale.departure.access_end_at + timedelta(hours=1))
    tale.catch_up(tale.at(-8, "12:00"), also=("close-journey",))
    tale.closes(by=AMARA, at=tale.at(-7, "10:12"))


def waiting_for_an_override(tale: Tale) -> None:
    """Hannah Vogel's laptop was stolen, so it cannot be wiped; HR asks to close all the same."""
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person="Hannah Vogel",
        notice=-88,
        last_day=tale.day(-56),
        reason="relocation",
    )
    tale.hold("wipe-devices", "close-journey")
    _cut(tale, at=tale.departure.access_end_at + timedelta(hours=2))
    tale.catch_up(tale.at(-2, "16:00"))
    tale.says(
        "wipe-devices",
        "Stolen from a train on the way to the courier. Legal has the police report; the disk was encrypted.",
        by=TOMASZ,
        at=tale.at(-40, "11:20"),
    )
    ending.request_override(
        departure=tale.departure,
        reason="The laptop was stolen before it could be wiped. Its disk was encrypted; a report is filed.",
        actor=playing(AMARA),
        now=tale.at(-1, "09:05"),
    )


def an_account_came_back(tale: Tale) -> None:
    """Grant Whitfield's access was cut and proven; this morning GitHub shows his account active again."""
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person="Grant Whitfield",
        notice=-40,
        last_day=tale.day(-9),
        reason="other",
    )
    tale.hold("receive-equipment", "verify-day-7")
    _cut(tale, at=tale.departure.access_end_at + timedelta(hours=1))
    tale.catch_up(tale.now)
    tale.says(
        "receive-equipment",
        "Third reminder sent. The laptop is back, the signed return agreement is not.",
        by=TOMASZ,
        at=tale.at(-4, "15:31"),
    )
    store().edit("github", "gwhitfield", is_active=True, is_blocked=False)
    tale.reads_back(by=PRIYA, at=tale.at(0, "06:12"))


def final_settlement(tale: Tale) -> None:
    """Luis Ortega has left; his final pay is due, and one system is only attested."""
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person="Luis Ortega",
        notice=-33,
        last_day=tale.day(-3),
        reason="pay",
        wall="15:10",
    )
    tale.hold("pay-final-amount", "hold-exit-interview", "wipe-devices")
    _cut(tale, at=tale.departure.access_end_at + timedelta(hours=1), badge=False, accepted=False)
    tale.catch_up(tale.now - timedelta(hours=3))
    tale.says(
        "pay-final-amount",
        "Payroll in Austin has not confirmed the transfer yet. I call them this afternoon.",
        by="Daniel Achterberg",
        at=tale.at(-1, "16:44"),
    )


def withdrawn(tale: Tale) -> None:
    """Sofia Lindgren took her notice back after a week."""
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person="Sofia Lindgren",
        notice=-30,
        last_day=tale.day(12),
        reason="promotion",
    )
    tale.catch_up(tale.at(-24, "12:00"))
    ending.withdraw(
        departure=tale.departure,
        reason="Sofia stays: she leads the new research group from January.",
        actor=playing(AMARA),
        now=tale.at(-23, "14:20"),
    )


def leaving_within_days(tale: Tale) -> None:
    """Rafael Teixeira leaves in three days; his plan is approved and runs by itself."""
    last_day = clock.add_working_days(tale.today, 3, "GB")
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person="Rafael Teixeira",
        notice=-27,
        last_day=last_day,
        reason="lack-of-opportunities",
    )
    tale.hold("accept-handover", "agree-reference")
    tale.catch_up(tale.at(-1, "17:00"), also=("check-access-plan",))
    plan = tale.plans_access(by=TOMASZ, at=tale.at(-1, "10:20"))
    tale.approves(plan, by=PRIYA, at=tale.at(-1, "15:02"))
    tale.says(
        "agree-reference",
        "He would like the museum relaunch mentioned. I have sent him the second draft.",
        by=AMARA,
        at=tale.at(0, "09:02"),
    )
    tale.adds("Collect words for his farewell card", phase=9, by=AMARA, at=tale.at(-1, "16:30"))


def handover_blocked(tale: Tale) -> None:
    """Marit Lindqvist's handover waits for her; some steps are late; her plan waits for a second person."""
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person="Marit Lindqvist",
        notice=-24,
        last_day=clock.add_working_days(tale.today, 6, "DE"),
        reason="work-life-balance",
    )
    tale.hold("write-role-snapshot", "agree-announcement", "explain-what-ends")
    tale.catch_up(tale.at(-1, "18:00"))
    tale.plans_access(by=TOMASZ, at=tale.at(-1, "13:38"))
    tale.says(
        "write-role-snapshot",
        "Half of it stands. The invoicing job needs a drawing; I will finish on Tuesday.",
        by="Joon-ho Baek",
        at=tale.at(-1, "11:15"),
    )


def planned_early(tale: Tale) -> None:
    """Elspeth Moran retires after 21 years; there are months to plan."""
    tale.starts(
        RETIREMENT,
        by=AMARA,
        person="Elspeth Moran",
        notice=-6,
        last_day=tale.day(166),
        reason="retirement",
    )
    tale.catch_up(tale.at(-1, "12:00"), also=("shape-the-last-stretch",))
    tale.skips(
        "plan-client-introductions",
        "Elspeth runs the office and has no clients of her own.",
        by="Nadia Ferreira",
        at=tale.at(-1, "14:05"),
    )


def for_cause(tale: Tale) -> None:
    """Viktor Sandell's dismissal: only its participants know; the plan waits for Helen."""
    last_day = clock.add_working_days(tale.today, 1, "DE")
    tale.starts(
        "staff-dismissal-for-cause",
        by=AMARA,
        person="Viktor Sandell",
        notice=-3,
        last_day=last_day,
        reason="dismissal-conduct",
        access_end_at=clock.at_local(last_day, time(14, 0), "Europe/Berlin"),
    )
    tale.hold("inform-payroll", "list-known-secrets", "preserve-evidence")
    tale.catch_up(
        tale.at(0, "11:00"),
        also=(
            "confirm-decision",
            "review-legal-grounds",
            "approve-decision",
            "limit-circle",
            "assess-safety",
        ),
    )
    tale.catch_up(tale.now, also=("check-access-plan",))
    tale.plans_access(by=AMARA, at=tale.now - timedelta(minutes=34))


def just_announced(tale: Tale) -> None:
    """Theo Lambert gave notice yesterday."""
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person="Theo Lambert",
        notice=-1,
        last_day=tale.day(40),
        reason="education",
        wall="16:10",
    )
    tale.completes("confirm-resignation", at=tale.at(0, "09:20"))


def being_cut(tale: Tale) -> None:
    """Ana Petrova's access has just ended: most is proven, one system refuses, one is slow."""
    person = Person.objects.get(email=address("Ana Petrova"))
    end = tale.now - timedelta(minutes=25)
    tale.starts(
        RESIGNATION,
        by=AMARA,
        person=person.name,
        notice=-28,
        last_day=clock.today_in(person.timezone, now=end),
        reason="relocation",
        access_end_at=end,
    )
    tale.hold("return-equipment")
    plan = tale.plans_access(by=TOMASZ, at=end - timedelta(days=2))
    tale.catch_up(end - timedelta(days=1), also=("check-access-plan",))
    tale.approves(plan, by=PRIYA, at=end - timedelta(hours=22))
    tale.catch_up(end)
    misbehave()
    tale.access_ends(at=end, leave=(SLOW,))


def a_notice_waits(tale: Tale) -> None:
    """A line manager has told HR that a colleague leaves; HR has not settled it yet."""
    intake = Intake(
        person=Person.objects.get(email=address("Mei Tanaka")),
        last_working_date=tale.day(45),
        notice_date=tale.today,
        reason="relocation",
    )
    starting.give_notice(
        template_id=RESIGNATION, intake=intake, actor=playing("Nadia Ferreira"), now=tale.at(0, "08:35")
    )
