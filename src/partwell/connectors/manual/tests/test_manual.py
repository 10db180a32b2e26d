"""A system that only people can reach still shows its account, and promises nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.contract import PROTOCOLS, Connection, ConnectorError, ErrorKind, Identity, Verb
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connectors.manual.connector import CONNECTOR, FIELDS, ManualConnector

ANA = Identity(emails=("ana@firm.test",), usernames=("ana",), employee_number="E-7")


def connect(**settings: str) -> ManualConnector:
    return CONNECTOR(
        Connection("door", settings, ReferencedSecrets({}), transport=None, now=lambda: datetime.now(UTC))
    )


@pytest.mark.parametrize(
    ("pattern", "login"),
    [
        ("{email}", "ana@firm.test"),
        ("{local_part}", "ana"),
        ("FIRM-{employee_number}", "FIRM-E-7"),
        ("{username}", "ana"),
    ],
)
async def test_the_account_is_the_one_that_the_settings_declare(pattern, login):
    (account,) = await connect(login_pattern=pattern, instructions="Tell the porter.").discover(ANA)
    assert (account.external_id, account.login) == (login, login)
    assert account.is_active is None
    assert account.details["instructions"] == "Tell the porter."


async def test_without_the_fact_that_the_pattern_needs_there_is_no_account():
    assert await connect(login_pattern="{employee_number}").discover(Identity(emails=("a@b.test",))) == []


def test_it_declares_no_verb_so_that_each_becomes_a_task_for_a_person():
    assert not any(isinstance(connect(), PROTOCOLS[verb]) for verb in Verb)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "nobody",
        "{email",
        "{password}",
        "{email.__class__}",
        "{email!r}",
        "{email:>99999999}",
        "{}",
        "{0}",
    ],
)
def test_a_pattern_that_is_not_plain_is_refused(pattern):
    with pytest.raises(ConnectorError) as refusal:
        connect(login_pattern=pattern)
    assert refusal.value.kind is ErrorKind.INVALID


@given(st.text(max_size=40))
def test_no_pattern_does_more_than_put_facts_into_text(pattern):
    try:
        connector = connect(login_pattern=pattern)
    except ConnectorError:
        return
    assert connector._needs <= FIELDS
