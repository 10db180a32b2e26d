"""Building the demo firm, and building it anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import transaction

from partwell import clock
from partwell.access.operations import test_system
from partwell.demo import clients, credentials, departures, firm, systems
from partwell.demo.signin import SIGN_IN, make_users
from partwell.engine import guard, schema
from partwell.evidence.models import Event
from partwell.evidence.operations import record
from partwell.evidence.sequencer import sequence_pending
from partwell.first_run.operations import put_aside
from partwell.first_run.states import Part
from partwell.journeys.template_operations import sync_library
from partwell.people.actors import console_actor
from partwell.people.models import Client, Person
from partwell.people.operations import (
    grant_role,
    import_clients,
    import_contracts,
    import_people,
    initialise,
)
from partwell.people.queries import installation
from partwell.people.roles import Role
from partwell.refusals import Conflict, NotAllowed

BUILT = "demo.built"
Say = Callable[[str], None]
HOLDERS: tuple[tuple[str, Role], ...] = (
    ("Amara Osei", Role.HR),
    ("Priya Raman", Role.IT_SECURITY),
    ("Tomasz Wrona", Role.IT_SECURITY),
    ("Tomasz Wrona", Role.ADMIN),
    ("Daniel Achterberg", Role.FINANCE),
    ("Ingrid Solheim", Role.LEGAL),
    ("Helen Marsh", Role.EXECUTIVE),
    ("Nadia Ferreira", Role.ACCOUNT_MANAGER),
)


def _quiet(text: str) -> None:
    """Say nothing."""


def is_demo() -> bool:
    """Whether this installation is the demo firm, and nothing else."""
    here = installation()
    return here is not None and here.is_practice and Event.objects.filter(kind=BUILT).exists()


def ensure_demo(now: datetime, *, say: Say = _quiet) -> str:
    """Build the demo firm unless it is there; return how to sign in.

    All of it is committed at once, so an interrupted start leaves an empty installation behind. Raises
    `Conflict` on an installation that belongs to somebody.
    """
    if is_demo():
        return SIGN_IN
    if installation() is not None or Person.objects.exists() or Client.objects.exists():
        raise Conflict(
            "installation_in_use",
            "This installation is in use already, so it cannot become the demo. Start without --demo, or "
            "set PARTWELL_DATA_DIR to an empty folder (and PARTWELL_DATABASE_URL to an empty database).",
        )
    systems.remove_store()
    with transaction.atomic():
        _build(now, say)
    sequence_pending(now=now)
    return SIGN_IN


def _build(now: datetime, say: Say) -> None:
    actor = console_actor()
    today = clock.today_in("Europe/Berlin", now=now)
    say("  the firm, its 120 people and 25 clients…")
    initialise(
        company=firm.COMPANY,
        practice=True,
        country="DE",
        timezone="Europe/Berlin",
        actor=actor,
        now=now,
    )
    sync_library(now=now)
    import_people(data=firm.people_csv(today), actor=actor, now=now)
    import_clients(data=firm.clients_csv(), actor=actor, now=now)
    import_contracts(data=firm.contracts_csv(today), actor=actor, now=now)
    make_users(now)
    for name, role in HOLDERS:
        grant_role(email=firm.address(name), role=role, actor=actor, now=now)
    say("  their accounts in twelve systems…")
    systems.fill_systems()
    directory, *_ = systems.connect_systems(actor=actor, now=now)
    test_system(system=directory, actor=actor, now=now)
    # Whoever visits the firm finds it at work, not being set up; trying it on oneself stays possible.
    put_aside(part=Part.PRACTICE, actor=actor, now=now)
    credentials.share_all(actor=actor, now=now, today=today)
    say("  departures of clients…")
    clients.tell_all(now=now, today=today)
    say("  departures of colleagues…")
    departures.tell_all(now=now, today=today)
    record(BUILT, scope="installation", actor=actor.label, at=now, fields={"company": firm.COMPANY})


def check_can_reset() -> None:
    """Raise `NotAllowed` on an installation that is no demo, `Conflict` while a worker runs on it."""
    if not is_demo():
        raise NotAllowed(
            "not_the_demo",
            "Only the demo can be reset, and this installation is none: what it holds may be somebody's.",
        )
    if guard.is_anybody_working():
        raise Conflict(
            "partwell_is_running",
            "Partwell is running on this installation. Stop it first (Ctrl-C where `partwell up` runs).",
        )


def reset_demo(now: datetime, *, say: Say = _quiet) -> str:
    """Remove everything that this demo installation holds, and build it anew; return how to sign in.

    The signing key in the data folder stays, so that packs of the former demo still say who signed them.
    Refusals as for `check_can_reset`.
    """
    check_can_reset()
    say("Removing what the demo holds…")
    call_command("flush", interactive=False, verbosity=0)
    schema.forget_runs()
    cache.clear()
    shutil.rmtree(Path(settings.MEDIA_ROOT), ignore_errors=True)
    systems.remove_store()
    say("Building it anew…")
    return ensure_demo(now, say=say)
