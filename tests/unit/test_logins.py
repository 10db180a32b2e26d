"""Whose login it is: nothing is guessed, and nobody else's is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.contract import Identity
from partwell.connector_kit.logins import LoginRules, addresses_in

ANA = Identity(emails=("Ana@Firm.test", "ana.lima@old.test"), usernames=("alima",))


def test_a_login_is_matched_by_user_name_address_and_comment():
    rules = LoginRules()
    assert rules.matched_by("ALima", "", ANA) == "user name alima"
    assert rules.matched_by("ana@firm.test", "", ANA) == "e-mail Ana@Firm.test"
    assert rules.matched_by("x1", "Ana Lima <ANA.LIMA@old.test>, desk 4", ANA) == (
        "e-mail ana.lima@old.test in its comment"
    )
    assert rules.matched_by("ana", "", ANA) == ""


def test_the_local_part_counts_only_in_a_domain_that_was_named():
    rules = LoginRules(local_parts_of=("firm.test",))
    assert rules.matched_by("ana", "", ANA) == "e-mail Ana@Firm.test, by its local part"
    assert rules.matched_by("ana.lima", "", ANA) == ""
    assert rules.matched_by("ana", "", Identity(emails=("ana@client.test", "ana@sub.firm.test"))) == ""


@pytest.mark.parametrize(
    ("match_on", "login", "note"),
    [
        (["email", "comment"], "alima", ""),
        (["username", "comment"], "ana@firm.test", ""),
        (["username", "email"], "x1", "ana@firm.test"),
    ],
)
def test_what_was_left_out_of_the_settings_matches_nobody(match_on, login, note):
    rules = LoginRules.from_settings({"match_on": match_on})
    assert rules.matched_by(login, note, ANA) == ""
    assert LoginRules().matched_by(login, note, ANA)


def test_an_address_within_another_is_not_the_same():
    rules = LoginRules()
    assert rules.matched_by("x1", "not-ana@firm.test ana@firm.test.example", ANA) == ""
    assert rules.matched_by("x1", "owner=ana@firm.test.", ANA)


def test_an_account_is_known_by_the_addresses_that_it_shows():
    rules = LoginRules(local_parts_of=("firm.test",))
    assert rules.emails("ana", "Ana <ana.lima@old.test>") == ("ana@firm.test", "ana.lima@old.test")
    assert rules.emails("ana@firm.test", "") == ("ana@firm.test",)
    assert LoginRules(frozenset({"username"})).emails("ana@firm.test", "ana@firm.test") == ()


@given(st.text(max_size=40))
def test_no_text_is_too_odd(text):
    assert all("@" in found for found in addresses_in(text))
    identity = Identity(emails=(text,), usernames=(text,))
    assert isinstance(LoginRules(local_parts_of=("firm.test",)).matched_by(text, text, identity), str)
    assert LoginRules().logins(Identity(emails=("",), usernames=("",))) == {}
