"""Inviting somebody to sign in for the first time: a link with which they set their password, once.

The token is signed and names the account and a digest of its present, unusable password. So it dies by
itself as soon as a password is set, and nothing has to be stored.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction

from partwell.evidence.operations import record
from partwell.people.models import User
from partwell.refusals import Invalid, NotFound

GOOD_FOR = timedelta(days=14)
_SALT = "partwell.people.invitations"


def needs_invitation(user: User) -> bool:
    """Whether the account is open and nobody has set its password yet."""
    return user.is_active and not user.has_usable_password()


def invitation_token(user: User, *, now: datetime) -> str:
    """A token for the invitation's link; good for two weeks, or until a password is set."""
    ends = int((now + GOOD_FOR).timestamp())
    return signing.dumps([user.pk, _state_of(user), ends], salt=_SALT)


def invited_user(*, token: str, now: datetime) -> User:
    """Whose invitation it is. Raises `NotFound` for one that is forged, used or too old."""
    try:
        pk, state, ends = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError) as error:
        raise NotFound("invitation") from error
    user = User.objects.filter(pk=pk).first()
    if user is None or not needs_invitation(user) or _state_of(user) != state or now.timestamp() >= ends:
        raise NotFound("invitation")
    return user


@transaction.atomic
def accept_invitation(*, token: str, password: str, now: datetime) -> User:
    """Set the first password. The token is the authority: it came to the account's own mailbox.

    Raises `NotFound` as `invited_user`, and `Invalid` for a password that is too weak.
    """
    invited = invited_user(token=token, now=now)
    # Locked and asked again, so that of two who accept at once only the first sets the password.
    User.objects.select_for_update().get(pk=invited.pk)
    user = invited_user(token=token, now=now)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid("password_weak", " ".join(error.messages), field="password") from None
    user.set_password(password)
    user.save(update_fields=["password"])
    record("user.invitation_accepted", scope="register", actor=str(user), at=now, fields={"user": user.email})
    return user


def _state_of(user: User) -> str:
    return sha256(f"{user.pk} {user.email} {user.password}".encode()).hexdigest()[:32]
