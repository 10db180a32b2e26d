"""How allauth signs people in here: by e-mail address, nobody by themselves, secrets encrypted."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.forms import LoginForm
from allauth.mfa.adapter import DefaultMFAAdapter
from django.db.models import Subquery
from django.http import HttpRequest

from partwell.people.models import Installation, User
from partwell.people.second_factors import SEAL


class Backend(AuthenticationBackend):
    """Signs in by e-mail address, and reads a user together with their entry in the register and the firm's
    timezone, in which those without one of their own read every page."""

    def get_user(self, user_id: Any) -> User | None:
        """The user of a session, or None once they may not sign in any more."""
        firm = Subquery(Installation.objects.filter(pk=Installation.ONLY).values("timezone"))
        users = User.objects.select_related("person").annotate(firm_timezone=firm)
        user = users.filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None


class AccountAdapter(DefaultAccountAdapter):
    """Accounts come from the register and from role grants; there is no sign-up."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "This address and password do not belong together. Check both, "
        "or set a new password.",
        "too_many_login_attempts": "Too many wrong passwords for this address. Wait five minutes, "
        "or set a new password now.",
        "incorrect_password": "This is not your password.",
        "enter_current_password": "This is not your present password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody lets themselves in."""
        return False

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """The second factor first: it is what fresh operations ask for."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return sorted(methods, key=lambda method: method["id"] != "mfa_reauthenticate")

    def format_email_subject(self, subject: str) -> str:
        """Subjects as they are written, without a site's name in brackets before them."""
        return subject


class SignInForm(LoginForm):
    """The sign-in form in our words; the way to a forgotten password stands under it already."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail"
        self.fields["password"].help_text = ""


class SecondFactorAdapter(DefaultMFAAdapter):
    """TOTP seeds and recovery codes lie encrypted in the database, under a key of the installation's own."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This is not the present code. Type the six digits that the app shows now.",
    }

    def encrypt(self, text: str) -> str:
        """What goes into the database."""
        return SEAL.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """What came out of it. Raises `SealBroken` under another installation's key."""
        return SEAL.unseal(encrypted_text)
