"""Pages of rounds: who opens them, and what they do there first."""

from __future__ import annotations

from tests.proofs.accessible_deeds import fill, in_days, unfold
from tests.proofs.accessible_visits import visit

HR, EXECUTIVE = "Amara Osei", "Helen Marsh"
ROUND = {
    "Name of the round": "Closing Leeds",
    "Who leaves (optional)": "mei.tanaka@harbourvale.example",
    "Last working day (optional)": in_days(90),
}

ROUNDS = (
    visit(HR, "web:rounds"),
    visit(HR, "web:round_prepare"),
    visit(
        HR,
        "web:round_prepare",
        state="preview",
        do=fill(ROUND, "Show what it would do"),
    ),
    visit(
        HR,
        "web:round_prepare",
        state="bad lines",
        do=fill({**ROUND, "Who leaves (optional)": "nobody@harbourvale.example"}, "Show what it would do"),
        status=422,
    ),
    visit(HR, "web:round", "round prepared", state="prepared"),
    visit(EXECUTIVE, "web:round", "round prepared", state="to approve", is_extra=True),
    visit(HR, "web:round", "round started"),
    visit(HR, "web:round_recall", "round started", do=unfold("Only some of them")),
    visit(
        HR,
        "web:round_recall",
        "round prepared",
        state="refused",
        is_extra=True,
        do=fill({"Type Closing the workshop to confirm": "closing the workshop"}, "Recall"),
        status=422,
    ),
)
