"""The state of an account, which follows from its current changes, and when all of it was proven gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db.models import Case, When
from django.db.models.fields.json import KT

from partwell.access.models import AccountRecord, Change
from partwell.access.states import AccessState, Authority, weakest
from partwell.connector_kit.contract import Outcome, Verdict
from partwell.rows import write_rows

TOLD_BY_READING = (AccessState.VERIFIED, AccessState.FAILED)


def refresh_states(accounts: Iterable[AccountRecord]) -> None:
    """Give each account the state of the weakest of its current changes, and the time at which all of it was
    proven gone."""
    wanted = {account.pk: account for account in accounts}
    current: dict[int, list[_Moved]] = defaultdict(list)
    # Called at each move of each change: no more is read than is looked at, and inside what a system said and
    # showed only where something failed or was read back.
    changes = Change.objects.filter(account_id__in=wanted, is_current=True).values_list(
        "account_id",
        "state",
        "reason",
        "authority",
        "attempts",
        "verified_at",
        Case(When(state__in=TOLD_BY_READING, then=KT("receipt__outcome"))),
        Case(When(state__in=TOLD_BY_READING, then=KT("proof__verdict"))),
        "account__revoked_at",
    )
    for pk, *row in changes:
        current[pk].append(_Moved(*row))
    for pk, account in wanted.items():
        moved = current[pk]
        account.state = weakest(change.state for change in moved)
        account.reason = next((change.reason for change in moved if change.state == account.state), "")
        kept = moved[0].revoked_at if moved else account.revoked_at
        account.revoked_at = _revoked_at(kept, account.state, moved)
    write_rows(list(wanted.values()), ["state", "reason", "revoked_at"])


class _Moved(NamedTuple):
    """What the state of an account depends on, of one of its changes."""

    state: str
    reason: str
    authority: str
    attempts: int
    verified_at: datetime | None
    outcome: str | None
    verdict: str | None
    revoked_at: datetime | None

    @property
    def shows_access(self) -> bool:
        """Whether a reading found access where it was, or had to be, gone."""
        return self.state == AccessState.FAILED and self.verdict == Verdict.FAILED

    @property
    def was_so_before(self) -> bool:
        """Whether nothing had to be done in the system for it."""
        return self.outcome is None or (self.outcome == Outcome.ALREADY_DONE and self.attempts <= 1)


def _revoked_at(kept: datetime | None, state: AccessState, changes: list[_Moved]) -> datetime | None:
    """When all of an account was proven gone, given when that was `kept` to be before its changes moved."""
    if any(change.authority == Authority.RESTORE for change in changes):
        return kept
    if any(change.shows_access for change in changes):
        return None
    if state != AccessState.VERIFIED:
        return kept
    moments = [change.verified_at for change in changes if change.verified_at is not None]
    # What was found to be so already has been so since the time that is known.
    new = [c.verified_at for c in changes if c.verified_at is not None and not c.was_so_before]
    return max(moments if kept is None else new, default=kept)
