"""Pages of journey templates: who opens them, and what they do there first."""

from __future__ import annotations

from tests.proofs.accessible_deeds import fill
from tests.proofs.accessible_stage import MOVED, NEW_VERSION
from tests.proofs.accessible_visits import visit

HR = "Amara Osei"

TEMPLATES = (
    visit(HR, "web:templates"),
    visit(HR, "web:template", "staff-resignation"),
    visit(HR, "web:template", NEW_VERSION, state="changed"),
    visit(HR, "web:template", "client-contract-expiry", state="client", is_extra=True),
    visit(HR, "web:template_journeys", MOVED),
    visit(HR, "web:template_journeys", "staff-resignation", state="none", is_extra=True),
    visit(HR, "web:template_upkeep", "staff-resignation"),
    visit(
        HR,
        "web:template_upkeep",
        "staff-resignation",
        state="refused",
        do=fill({"What did you look at?": "ok"}, "I have read it and it still holds"),
        status=422,
    ),
    visit(HR, "web:templates_compare"),
    visit(HR, "web:templates_compare", query="?role=finance", state="one role", is_extra=True),
    visit(HR, "web:template_difference", NEW_VERSION),
    visit(HR, "web:template_difference", NEW_VERSION, query="?from=1&to=1", state="none", is_extra=True),
    visit(HR, "web:template_difference", "staff-resignation", state="one version", status=422),
)
