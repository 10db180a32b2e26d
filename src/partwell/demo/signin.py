"""How a visitor signs in to the demo: one password for all, and second factors that anybody can compute.

None of this is a secret, so none of it may exist outside a practice installation.
"""

from __future__ import annotations

import base64
from datetime import datetime
from hashlib import sha256

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from django.contrib.auth.hashers import make_password

from partwell.demo.firm import address
from partwell.people.models import Person, User
from partwell.people.operations import ensure_user
from partwell.people.queries import installation
from partwell.refusals import Conflict, NotAllowed, NotFound

PASSWORD = "harbour-lights-at-dusk"  # noqa: S105 - printed at every start of the demo
WITH_SECOND_FACTOR = ("Priya Raman", "Tomasz Wrona", "Helen Marsh", "Ingrid Solheim")
"""Who approves and applies. The others sign in with the password alone, as a first look needs no more."""

SIGN_IN = f"""\
Sign in to the demo firm with the password  {PASSWORD}
  {address("Amara Osei")}    HR: sees and starts departures
  {address("Joon-ho Baek")}  a line manager, whose people leave
  {address("Priya Raman")}   IT security: approves and applies access plans
  {address("Helen Marsh")}   executive: the second person where things stay open
Priya, Helen, Tomasz and Ingrid are also asked for a code:  partwell demo code {address("Priya Raman")}
Start afresh at any time:  partwell demo reset"""


def make_users(now: datetime) -> None:
    """Accounts for everybody in the register, all with the same password; some with a second factor."""
    for person in Person.objects.order_by("pk"):
        ensure_user(person, now)
    # One hash for all: hashing it for each of them would take half a minute.
    User.objects.update(password=make_password(PASSWORD))
    for name in WITH_SECOND_FACTOR:
        TOTP.activate(User.objects.get(email=address(name)), seed_of(address(name)))


def seed_of(email: str) -> str:
    """The seed of this account's second factor: it follows from the address."""
    return base64.b32encode(sha256(f"Harbour & Vale {email.lower()}".encode()).digest()[:20]).decode()


def present_code(email: str) -> str:
    """The six digits that the sign-in page asks this demo user for at present.

    Raises `NotAllowed` outside a practice installation, `NotFound` for an unknown address, `Conflict` for an
    account without a second factor, or with one of its own.
    """
    here = installation()
    if here is None or not here.is_practice:
        raise NotAllowed("not_practice", "Codes are shown in a practice installation only, and this is none.")
    user = User.objects.filter(email__iexact=email.strip()).first()
    if user is None:
        raise NotFound("user")
    factor = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if factor is None:
        raise Conflict("no_factor", f"{user.email} signs in without a code. The password is enough.")
    if decrypt(factor.data["secret"]) != seed_of(user.email):
        raise Conflict(
            "own_factor", f"{user.email} has set up another second factor; the code is in that app."
        )
    return code_of(user.email)


def code_of(email: str) -> str:
    """What an app that holds this address's seed would show now."""
    counters = list(yield_hotp_counters_from_time())
    return format_hotp_value(hotp_value(seed_of(email), counters[len(counters) // 2]))
