"""What people of these tests sign in with: one password for all, and what an authenticator app shows."""

from __future__ import annotations

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from partwell import clock

PASSWORD = "correct horse battery staple"


def code_now(secret: str) -> str:
    """The six digits that an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(clock.now().timestamp()) // 30))
