"""What every story starts from: a running server, accounts, and signing in through the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Page, expect

from partwell.people.models import User
from tests.signing_in import PASSWORD


@pytest.fixture(autouse=True)
def no_limits_left_over(transactional_db: None) -> None:
    """Sign-in limits are counted in a table of their own, which emptying the models leaves alone."""
    cache.clear()


@pytest.fixture
def address(live_server: Any) -> str:
    """Where the server listens that this story's browsers open."""
    return str(live_server.url)


@pytest.fixture
def make_user(transactional_db: None) -> Callable[..., User]:
    """Makes an account with the kit's password."""

    def make(email: str, name: str = "") -> User:
        return User.objects.create_user(email, PASSWORD, name=name)

    return make


@pytest.fixture
def sign_in(browser_page: Page) -> Callable[..., Page]:
    """Signs the account with this address in through the form, and lands on Today."""

    def go(email: str, page: Page | None = None) -> Page:
        shown = page or browser_page
        shown.goto("/account/login/")
        shown.get_by_label("E-mail").fill(email)
        shown.get_by_label("Password").fill(PASSWORD)
        shown.get_by_role("button", name="Sign in").click()
        expect(shown.get_by_role("heading", level=1, name="Today")).to_be_visible()
        return shown

    return go
