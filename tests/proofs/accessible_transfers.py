"""Pages of handing over: who opens them, and what they do there first."""

from __future__ import annotations

from tests.proofs.accessible_deeds import pressing, unfold
from tests.proofs.accessible_visits import visit

IT, SUCCESSOR, BYSTANDER = "Priya Raman", "Joon-ho Baek", "Aoife Adeyemi"

TRANSFERS = (
    visit(IT, "web:transfers", "marit"),
    visit(IT, "web:transfers", "owen", state="settled", is_extra=True),
    visit(IT, "web:transfers", "marit", state="refused", do=pressing("Add it"), status=422),
    visit(SUCCESSOR, "web:coming"),
    visit(BYSTANDER, "web:coming", state="empty", is_extra=True),
    visit(IT, "web:transfer", "handed over", state="nobody named"),
    visit(SUCCESSOR, "web:transfer", "handed to accept", state="to accept"),
    visit(IT, "web:transfer", "handed to accept", state="inside", is_extra=True),
    visit(
        IT,
        "web:transfer_name",
        "handed over",
        start=("web:transfer", "handed over"),
        do=pressing("Name the successor"),
        status=422,
    ),
    visit(
        IT,
        "web:transfer_attest",
        "handed by hand",
        start=("web:transfer", "handed by hand"),
        do=pressing("Say that it is handed over"),
        status=422,
    ),
    visit(
        SUCCESSOR,
        "web:transfer_missing",
        "handed to accept",
        start=("web:transfer", "handed to accept"),
        do=unfold("Something is missing", pressing("Say what is missing")),
        status=422,
    ),
)
