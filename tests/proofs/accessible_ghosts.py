"""Pages of ghost accounts: who opens them, and what they do there first."""

from __future__ import annotations

from tests.proofs.accessible_deeds import post, pressing, upload
from tests.proofs.accessible_visits import visit

IT, ADMIN = "Priya Raman", "Tomasz Wrona"
ACCOUNTS = b"login,active\nbadge-17,yes\nbadge-18,no\n"

GHOSTS = (
    visit(IT, "web:ghosts"),
    visit(IT, "web:ghosts", query="?state=gone", state="none", is_extra=True),
    visit(IT, "web:ghost_cut", "ghost"),
    visit(IT, "web:ghost_dismiss", "ghost"),
    visit(IT, "web:ghost_assign", "ghost"),
    visit(IT, "web:ghosts_upload"),
    visit(
        IT,
        "web:ghosts_upload",
        state="a list",
        do=upload("CSV file", "badges.csv", ACCOUNTS, "Show what it holds"),
    ),
    visit(
        IT,
        "web:ghosts_upload",
        state="problems",
        is_extra=True,
        do=upload("CSV file", "badges.csv", ACCOUNTS + b",yes\n", "Show what it holds"),
        status=422,
    ),
    visit(IT, "web:ghost", "ghost", state="theirs"),
    visit(IT, "web:ghost", "nobody undecided", state="undecided"),
    visit(IT, "web:ghost", "nobody proposed", state="to approve"),
    visit(ADMIN, "web:ghost", "nobody proposed", state="proposed", is_extra=True),
    visit(IT, "web:ghost", "nobody cut", state="cut"),
    visit(IT, "web:ghost", "nobody kept", state="kept", is_extra=True),
    visit(
        IT,
        "web:ghost_approve",
        "nobody proposed",
        start=("web:ghost", "nobody proposed"),
        do=post("web:ghost_approve", "nobody proposed"),
        status=422,
    ),
    visit(IT, "web:ghost_whose", "nobody undecided"),
    visit(
        IT,
        "web:ghost_whose",
        "nobody undecided",
        state="refused",
        is_extra=True,
        do=pressing("Keep it as theirs"),
        status=422,
    ),
    visit(IT, "web:ghost_keep", "nobody undecided"),
    visit(IT, "web:ghost_keep", "nobody undecided", state="refused", do=pressing("Keep it"), status=422),
    visit(IT, "web:ghost_propose", "nobody undecided"),
    visit(IT, "web:ghost_restore", "nobody cut"),
)
