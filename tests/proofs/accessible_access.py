"""Pages of access plans and connected systems: who opens them, and what they do there first."""

from __future__ import annotations

from partwell.access.states import AccessState
from tests.proofs import accessible_deeds as deeds
from tests.proofs.accessible_deeds import fill, post, pressing
from tests.proofs.accessible_visits import visit

IT, ADMIN = "Priya Raman", "Tomasz Wrona"

ACCESS = (
    visit(ADMIN, "web:access_overview"),
    visit(ADMIN, "web:access_plan", "elspeth", state="none"),
    visit(ADMIN, "web:access_plan", "marit", state="requester"),
    visit(IT, "web:access_plan", "marit", state="to approve"),
    visit(
        IT,
        "web:access_approve",
        "marit",
        start=("web:access_plan", "marit"),
        do=post("web:access_approve", "marit"),
        status=422,
    ),
    visit(IT, "web:access_plan", "rafael", state="approved"),
    visit(IT, "web:access_plan", "ana", state="running"),
    visit(IT, "web:access_plan", "owen", state="verified"),
    visit(IT, "web:access_plan", "grant", state="came back", is_extra=True),
    visit(IT, "web:access_plan", "northlight", state="client", is_extra=True),
    visit(IT, "web:access_dry_run", "marit", state="not tried"),
    visit(IT, "web:access_dry_run", "marit", state="being tried", is_extra=True, do=pressing("Try plan 1")),
    visit(IT, "web:access_restore", "luis"),
    visit(
        IT,
        "web:access_say",
        "luis",
        state="attest",
        start=("web:access_plan", "luis"),
        do=deeds.say_of(AccessState.MANUAL),
    ),
    visit(
        IT,
        "web:access_say",
        "luis",
        state="impossible",
        is_extra=True,
        start=("web:access_plan", "luis"),
        do=deeds.say_of(AccessState.MANUAL, "impossible", pressing("Keep the reason")),
        status=422,
    ),
    visit(ADMIN, "web:systems"),
    visit(ADMIN, "web:system", "github"),
    visit(ADMIN, "web:system", "figma", state="by hand", is_extra=True),
    visit(ADMIN, "web:system", "okta", state="being tested", do=pressing("Test it")),
    visit(ADMIN, "web:system_change", "github"),
    visit(
        ADMIN,
        "web:system_change",
        "okta",
        state="difference",
        do=fill({"As people call it": "Sign-in", "seed (optional)": "7"}, "Show the difference"),
    ),
    visit(
        ADMIN,
        "web:system_change",
        "figma",
        state="refused",
        is_extra=True,
        do=fill({"As people call it": ""}, "Show the difference"),
        status=422,
    ),
    visit(ADMIN, "web:system_add"),
    visit(ADMIN, "web:system_add", state="refused", is_extra=True, do=pressing("Connect it"), status=422),
)
