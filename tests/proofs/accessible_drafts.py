"""Pages of drafts of templates: who opens them, and what they do there first."""

from __future__ import annotations

from tests.proofs.accessible_deeds import fill, in_days, post, pressing
from tests.proofs.accessible_visits import visit

HR = "Amara Osei"
DRAFT = "own-resignation"
ON_MEI = {"Who would leave": "mei.tanaka@harbourvale.example", "Last working day": in_days(50)}

DRAFTS = (
    visit(HR, "web:drafts"),
    visit(HR, "web:drafts", state="refused", is_extra=True, do=pressing("Begin the draft"), status=422),
    visit(HR, "web:draft", DRAFT),
    visit(HR, "web:draft_about", DRAFT),
    visit(HR, "web:draft_add", DRAFT),
    visit(HR, "web:draft_step", DRAFT, "cut-access"),
    visit(
        HR,
        "web:draft_step",
        DRAFT,
        "cut-access",
        state="refused",
        do=fill({"When the step is there": "chosen"}, "Keep"),
        status=422,
    ),
    visit(HR, "web:draft_remove", DRAFT, "approve-access-plan"),
    visit(HR, "web:draft_waits", DRAFT),
    visit(HR, "web:draft_try", DRAFT),
    visit(HR, "web:draft_try", DRAFT, state="planned", do=fill(ON_MEI, "Show the plan")),
    visit(HR, "web:draft_publish", DRAFT),
    visit(HR, "web:draft_publish", DRAFT, state="refused", do=post("web:draft_publish", DRAFT), status=409),
    visit(HR, "web:draft_discard", DRAFT),
)
