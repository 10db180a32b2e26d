"""What people of these tests sign in with: one password for all, and what an authenticator app shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from partwell import clock

if TYPE_CHECKING:
    from playwright.sync_api import Page

PASSWORD = "correct horse battery staple"


def code_now(secret: str) -> str:
    """The six digits that an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(clock.now().timestamp()) // 30))


def sign_in_surely(page: Page, email: str, secret: str) -> None:
    """Sign in through the form with password and second factor, which counts as fresh, and land on Today."""
    from playwright.sync_api import expect

    page.goto("/account/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Six digits").fill(code_now(secret))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()
