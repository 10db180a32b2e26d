"""The departures of clients in the demo firm."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from partwell.demo.departures import PRIYA, TOMASZ
from partwell.demo.telling import Tale


def tell_all(*, now: datetime, today: date) -> None:
    """Every departure of a client."""
    for tell in (service_has_ended, service_ends_soon, cancelled_early):
        tell(Tale(now=now, today=today))


def service_has_ended(tale: Tale) -> None:
    """Northlight Museum Trust: access is cut both ways; the last invoice and the interview are left."""
    tale.starts(
        "client-contract-expiry",
        by="Beatriz Nunes",
        client="NMT",
        notice=-80,
        last_day=tale.day(-24),
        reason="taken-in-house",
    )
    tale.hold("follow-last-payment", "hold-client-interview", "answer-survey")
    end = tale.departure.access_end_at
    tale.catch_up(end - timedelta(days=3), also=("check-access-plan",))
    plan = tale.plans_access(by=TOMASZ, at=end - timedelta(days=2))
    tale.approves(plan, by=PRIYA, at=end - timedelta(days=1, hours=6))
    tale.catch_up(end)
    tale.access_ends(at=end)
    tale.catch_up(tale.now - timedelta(hours=2))


def service_ends_soon(tale: Tale) -> None:
    """Brightwater Dental Group: service ends within days, and their registrar sign-in is untested."""
    tale.starts(
        "client-contract-expiry",
        by="Saoirse Kelly",
        client="BDG",
        notice=-48,
        last_day=tale.today + timedelta(days=8),
        reason="no-longer-needed",
    )
    tale.hold("agree-pickup", "transfer-ownership")
    tale.catch_up(tale.now - timedelta(hours=4))
    tale.says(
        "transfer-ownership",
        "Hosting is theirs now. Their registrar sign-in is untested, so we keep ours until it works.",
        by=TOMASZ,
        at=tale.at(-1, "10:40"),
    )
    tale.plans_access(by=TOMASZ, at=tale.at(-1, "11:05"))


def cancelled_early(tale: Tale) -> None:
    """Kestrel Outdoor cancelled last week; the exit plan is being agreed."""
    tale.starts(
        "client-early-cancellation",
        by="Lukas Brandt",
        client="KES",
        notice=-11,
        last_day=tale.today + timedelta(days=39),
        reason="pricing",
    )
    tale.catch_up(tale.now - timedelta(hours=20))
