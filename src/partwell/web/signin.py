"""How allauth signs people in here: by e-mail address, nobody by themselves, secrets encrypted."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Accounts come from the register and from role grants; there is no sign-up."""

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


@lru_cache(maxsize=4)
def _cipher(secret: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"partwell second factors").derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))


class SecondFactorAdapter(DefaultMFAAdapter):
    """TOTP seeds and recovery codes lie encrypted in the database, under a key of the installation's own."""

    def encrypt(self, text: str) -> str:
        """What goes into the database."""
        return _cipher(settings.SECRET_KEY).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """What came out of it. Raises `InvalidToken` under another installation's key."""
        return _cipher(settings.SECRET_KEY).decrypt(encrypted_text.encode()).decode()
