"""Pages of shared credentials: who opens them, and what they do there first."""

from __future__ import annotations

from tests.proofs import accessible_deeds as deeds
from tests.proofs.accessible_deeds import pressing, upload
from tests.proofs.accessible_visits import visit

ADMIN, IT, MANAGER = "Tomasz Wrona", "Priya Raman", "Joon-ho Baek"
LEAVER, BYSTANDER = "Marit Lindqvist", "Aoife Adeyemi"

VAULT = b"""url,username,password,totp,extra,name,grouping,fav
https://bank.example/login,billing,secret,,,Bank portal,Office,0
"""

CREDENTIALS = (
    visit(ADMIN, "web:credentials"),
    visit(ADMIN, "web:credentials", query="?q=nothing-of-that-name", state="none found", is_extra=True),
    visit(BYSTANDER, "web:credentials", state="empty", is_extra=True),
    visit(ADMIN, "web:credential", "credential"),
    visit(LEAVER, "web:credential", "credential", state="known too", is_extra=True),
    visit(ADMIN, "web:credential_add"),
    visit(ADMIN, "web:credential_add", state="refused", is_extra=True, do=pressing("Keep it"), status=422),
    visit(ADMIN, "web:credentials_import"),
    visit(
        ADMIN,
        "web:credentials_import",
        state="changes",
        do=upload("File", "vault.csv", VAULT, "Show what would change"),
    ),
    visit(
        ADMIN,
        "web:credentials_import",
        state="problems",
        is_extra=True,
        do=upload("File", "vault.csv", b"no export\n", "Show what would change"),
        status=422,
    ),
    visit(ADMIN, "web:credential_change", "credential"),
    visit(ADMIN, "web:credential_retire", "credential"),
    visit(
        ADMIN,
        "web:holder_add",
        "credential",
        start=("web:credential", "credential"),
        do=pressing("Add them"),
        status=422,
    ),
    visit(ADMIN, "web:holder_end", "credential", "holder"),
    visit(ADMIN, "web:rotation", "rotation"),
    visit(
        ADMIN,
        "web:rotation_attest",
        "rotation",
        start=("web:rotation", "rotation"),
        do=pressing("Say that it is changed"),
        status=422,
    ),
    visit(MANAGER, "web:my_steps", state="secrets to change"),
)

# Beside what else asks for her second factor, which counts for fifteen minutes.
CHANGED_BY_CONNECTOR = visit(
    IT,
    "web:rotation_rotate",
    "rotation by connector",
    start=("web:rotation", "rotation by connector"),
    do=deeds.change_by_connector,
)
