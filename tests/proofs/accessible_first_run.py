"""The pages of the set-up and of practice: who opens them, and what they do there first."""

from __future__ import annotations

from tests.proofs import accessible_deeds as deeds
from tests.proofs.accessible_deeds import fill, in_days, pressing
from tests.proofs.accessible_visits import visit

IT, ADMIN = "Priya Raman", "Tomasz Wrona"

FIRST_RUN = (
    visit(ADMIN, "web:set_up"),
    visit(IT, "web:practice"),
    visit(IT, "web:practice", state="begun", do=pressing("Begin the practice")),
    visit(
        IT,
        "web:practice_move",
        start=("web:practice",),
        do=fill({"Last working day": in_days(-40)}, "Move it"),
        status=422,
    ),
    visit(ADMIN, "web:set_up_calendar"),
    visit(
        ADMIN,
        "web:set_up_calendar",
        state="refused",
        is_extra=True,
        do=fill({"Country": "ZZ"}, "Keep"),
        status=422,
    ),
    visit(ADMIN, "web:set_up_roles", do=deeds.admin_confirms),
)
