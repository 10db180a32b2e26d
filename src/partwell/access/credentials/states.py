"""What a shared credential is, whose it is, and how changing it may move on."""

from __future__ import annotations

from enum import StrEnum

from partwell.refusals import Conflict


class CredentialKind(StrEnum):
    """What people share."""

    PASSWORD = "password"  # noqa: S105 - a kind, not a secret
    API_KEY = "api_key"
    PORTAL = "portal"  # a login at a supplier or an authority
    DOOR_CODE = "door_code"
    CLIENT_LOGIN = "client_login"  # between us and a client, in either direction
    OTHER = "other"


class Direction(StrEnum):
    """Whose a client login is. Empty for everything that is not between us and a client."""

    NONE = ""
    THEIRS = "theirs"  # the client's, and we know it: they change it
    OURS = "ours"  # ours, and the client knows it: we change it


class RotationState(StrEnum):
    """Where changing one secret for one departure stands. Only `VERIFIED` was tried afterwards."""

    OPEN = "open"
    REQUESTED = "requested"  # the system was asked; no answer is on record
    ACCEPTED = "accepted"  # the system says that it is changed; nobody has seen the old one refused
    VERIFIED = "verified"  # changed, and a sign-in without the new one was refused
    FAILED = "failed"  # the system refused, or something still gets in
    ATTESTED = "attested"  # a person says, with proof, that it is changed
    NOT_NEEDED = "not_needed"  # a person says, with the reason, that it need not be changed
    WITHDRAWN = "withdrawn"  # the notice was taken back before it was changed


_BY_A_PERSON = frozenset({RotationState.REQUESTED, RotationState.ATTESTED, RotationState.NOT_NEEDED})
TRANSITIONS: dict[RotationState, frozenset[RotationState]] = {
    RotationState.OPEN: _BY_A_PERSON | {RotationState.WITHDRAWN},
    # Asked again where the answer was lost: it may have been changed or not, so a fresh one is made.
    RotationState.REQUESTED: _BY_A_PERSON
    | {RotationState.ACCEPTED, RotationState.VERIFIED, RotationState.FAILED, RotationState.WITHDRAWN},
    RotationState.ACCEPTED: _BY_A_PERSON | {RotationState.WITHDRAWN},
    RotationState.FAILED: _BY_A_PERSON | {RotationState.WITHDRAWN},
    RotationState.VERIFIED: frozenset(),
    RotationState.ATTESTED: frozenset({RotationState.REQUESTED}),
    RotationState.NOT_NEEDED: frozenset({RotationState.REQUESTED, RotationState.ATTESTED}),
    RotationState.WITHDRAWN: frozenset(),
}
# Nothing is left to do.
SETTLED = frozenset(
    {
        RotationState.VERIFIED,
        RotationState.ATTESTED,
        RotationState.NOT_NEEDED,
        RotationState.WITHDRAWN,
    }
)
UNSETTLED = frozenset(RotationState) - SETTLED


class RotationBy(StrEnum):
    """Who changed it."""

    NONE = ""
    CONNECTOR = "connector"
    PERSON = "person"


def check_move(before: str, after: str) -> None:
    """Raise `Conflict` unless a rotation may go from `before` to `after`."""
    if RotationState(after) not in TRANSITIONS[RotationState(before)]:
        said = before.replace("_", " ")
        raise Conflict("rotation_settled", f"This is {said} already; there is nothing left to do about it.")
