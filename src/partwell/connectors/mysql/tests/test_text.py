"""What is sent as text and read as text: quoting, SHOW GRANTS, and the statements for MySQL."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.mysql import rotation
from partwell.connectors.mysql.entitlements import take_away
from partwell.connectors.mysql.flavours import FLAVOURS, HostAccount, Login, MySql, detect, native_verifier
from partwell.connectors.mysql.grants import Grant, Kind, granting, read_grants, revoking
from partwell.connectors.mysql.statements import Sql, account, name, sql

ANA = account("ana", "%")


# -- quoting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("ana", "`ana`"),
        ("a`b", "`a``b`"),
        ("`", "````"),
        ("a'b\"c", "`a'b\"c`"),
        ("a\\", "`a\\`"),  # a backslash means nothing within backticks, in no SQL mode
        ("a\\`b", "`a\\``b`"),
        ("%{}", "`%{}`"),
        ("ü ", "`ü `"),
    ],
)
def test_a_name_is_quoted_so_that_it_stays_one(text, quoted):
    assert name(text) == quoted


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "\N{SNAKE}"])
def test_what_no_server_takes_as_a_name_is_refused(text):
    with pytest.raises(ConnectorError) as refusal:
        name(text)
    assert refusal.value.kind is ErrorKind.INVALID


@given(st.text(alphabet=st.characters(min_codepoint=1, max_codepoint=0xFFFF), min_size=1, max_size=40))
def test_a_quoted_name_ends_where_it_should_and_reads_back(text):
    quoted = name(text)
    assert re.fullmatch(r"`(?:[^`]|``)*`", quoted, re.DOTALL)
    assert quoted[1:-1].replace("``", "`") == text


def test_a_statement_is_filled_once():
    assert sql("ALTER USER {} ACCOUNT LOCK", account("{0}", "{}")) == "ALTER USER `{0}`@`{}` ACCOUNT LOCK"


# -- SHOW GRANTS ------------------------------------------------------------------------------------------

MARIADB = [
    "GRANT `analyst` TO `ana`@`%` WITH ADMIN OPTION",
    "GRANT USAGE ON *.* TO `ana`@`%` IDENTIFIED BY PASSWORD '*06643F75EBD9143C0BBCE8D611F9A4462534B3EC'",
    "GRANT INSERT ON `shop`.* TO `ana`@`%` WITH GRANT OPTION",
    "GRANT SELECT, UPDATE (`a`, `b`) ON `shop`.`t` TO `ana`@`%`",
    "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `ana`@`%`",
    "GRANT SELECT ON `we``ird ON x`.* TO `ana`@`%`",
    "GRANT SELECT ON `shop\\_%`.* TO `ana`@`%`",
    "GRANT PROXY ON 'app'@'%' TO 'ana'@'%' WITH GRANT OPTION",
    "SET DEFAULT ROLE `analyst` FOR `ana`@`%`",
]
MYSQL = [
    "GRANT SELECT, CREATE USER ON *.* TO `ana`@`%` WITH GRANT OPTION",
    "GRANT BACKUP_ADMIN,SHOW_ROUTINE ON *.* TO `ana`@`%`",
    "REVOKE INSERT ON `mysql`.* FROM `ana`@`%`",
    "GRANT `analyst`@`%`,`writer`@`localhost` TO `ana`@`%`",
]


def test_what_mariadb_tells_is_read():
    assert read_grants(MARIADB) == [
        Grant(Kind.ROLE, "`analyst`", "", True),
        Grant(Kind.RIGHTS, "INSERT", "`shop`.*", True),
        Grant(Kind.RIGHTS, "SELECT, UPDATE (`a`, `b`)", "`shop`.`t`"),
        Grant(Kind.RIGHTS, "EXECUTE", "PROCEDURE `shop`.`p`"),
        Grant(Kind.RIGHTS, "SELECT", "`we``ird ON x`.*"),
        Grant(Kind.RIGHTS, "SELECT", "`shop\\_%`.*"),
        Grant(Kind.PROXY, "PROXY", "'app'@'%'", True),
    ]


def test_what_mysql_tells_is_read():
    assert read_grants(MYSQL) == [
        Grant(Kind.RIGHTS, "SELECT, CREATE USER", "*.*", True),
        Grant(Kind.RIGHTS, "BACKUP_ADMIN,SHOW_ROUTINE", "*.*"),
        Grant(Kind.RESTRICTION, "INSERT", "`mysql`.*"),
        Grant(Kind.ROLE, "`analyst`@`%`"),
        Grant(Kind.ROLE, "`writer`@`localhost`"),
    ]


@pytest.mark.parametrize("line", [*MARIADB, *MYSQL])
def test_what_was_read_is_given_back_as_it_stood(line):
    for grant in read_grants([line]):
        kept = Grant.from_snapshot(json.loads(json.dumps(grant.as_snapshot())))
        assert kept == grant
        (again,) = read_grants([granting(kept, ANA)])
        assert again == grant


@pytest.mark.parametrize(
    "line",
    [
        "GRANT SELECT ON `shop`.* TO `ana`@`%`; DROP USER x",
        "GRANT SELECT ON `shop` TO `ana`@`%`",
        "GRANT SELECT /* ON */ `shop`.* TO `ana`@`%`",
        "GRANT select ON `shop`.* TO `ana`@`%`",
        "SHOW something",
        "GRANT SELECT ON `shop.* TO `ana`@`%`",
        "",
    ],
)
def test_a_line_that_is_not_understood_stops_and_is_not_repeated(line):
    with pytest.raises(ConnectorError) as refusal:
        read_grants([line])
    assert refusal.value.kind is ErrorKind.INVALID
    assert "shop" not in refusal.value.message


@pytest.mark.parametrize(
    "kept",
    [
        {"kind": "rights", "what": "SELECT", "on": "`a`.* TO `b`@`%`; DROP USER `c`"},
        {"kind": "rights", "what": "SELECT ON *.* TO `b`@`%`, UPDATE", "on": "*.*"},
        {"kind": "rights", "what": "ALL; DROP USER `c`", "on": "*.*"},
        {"kind": "role", "what": "`a` TO `b`@`%`"},
        {"kind": "role", "what": "`a`", "on": "*.*"},
        {"kind": "proxy", "what": "PROXY", "on": "'a'@'%' TO 'b'@'%'"},
    ],
)
def test_no_other_statement_hides_in_a_snapshot(kept):
    with pytest.raises(ConnectorError) as refusal:
        Grant.from_snapshot(kept)
    assert refusal.value.kind is ErrorKind.INVALID


def test_what_revoke_all_leaves_is_taken_away_by_itself():
    found = [revoking(grant, ANA) for grant in read_grants([*MARIADB[:3], MARIADB[7], MYSQL[3]])]
    assert found == [
        "REVOKE `analyst` FROM `ana`@`%`",
        None,
        "REVOKE PROXY ON 'app'@'%' FROM `ana`@`%`",
        "REVOKE `analyst`@`%` FROM `ana`@`%`",
        "REVOKE `writer`@`localhost` FROM `ana`@`%`",
    ]


# -- MySQL, by its documentation --------------------------------------------------------------------------


class Scripted:
    """A session that answers from a list, and keeps what it was sent."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.sent: list[str] = []

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        self.sent.append(" ".join(query.split()))
        return self.answers.pop(0)

    def run(self, statement: Sql, *, shown: str = "") -> bool:
        self.sent.append(statement)
        return True

    def literal(self, value: str) -> Sql:
        return Sql(f"'{value}'")


def row(user: str, host: str, **facts: Any) -> dict[str, Any]:
    usual = {"account_locked": "N", "plugin": "caching_sha2_password", "looks_like_a_role": 0, "comment": ""}
    return {"User": user, "Host": host, **usual, **facts}


LOOKS_UP_NAMES = [{"skips": 0}]


def test_accounts_of_mysql_are_grouped_by_name_and_roles_are_none():
    session = Scripted(
        [
            row("analyst", "%", account_locked="Y", looks_like_a_role=1),
            row("ana", "%", account_locked="Y"),
            row("ana", "desk.firm.test", comment="ana@firm.test"),
        ],
        LOOKS_UP_NAMES,
    )
    (login,) = MySql().logins(session, ["analyst", "ana"])
    assert login == Login(
        "ana",
        (
            HostAccount("%", True, "caching_sha2_password"),
            HostAccount("desk.firm.test", False, "caching_sha2_password"),
        ),
        "ana@firm.test",
    )
    assert login.is_active


def test_a_comment_of_mysql_finds_its_account():
    session = Scripted(
        [
            {"User": "al", "lowered": "al", "comment": "ana lima <ana@firm.test>"},
            {"User": "Ana", "lowered": "ana", "comment": ""},
            {"User": "bob", "lowered": "bob", "comment": "bob@firm.test"},
        ]
    )
    assert MySql().names(session, ["ana"], ["ana@firm.test"]) == ["al", "Ana"]


def test_a_password_of_mysql_is_changed_only_once_it_may_be():
    login = Login("shared", (HostAccount("%", False, "caching_sha2_password"),))
    session, flavour = Scripted(), MySql()
    assert flavour.begin_rotation(session, login, "new") == ["ALTER USER `shared`@`%`"]
    assert flavour.undo_rotation(session, login) == []
    assert flavour.finish_rotation(session, login, "new") == ["ALTER USER `shared`@`%` IDENTIFIED BY 'new'"]
    assert flavour.why_not_rotated(login) == ""
    assert "authentication_ldap_sasl" in flavour.why_not_rotated(
        Login("shared", (HostAccount("%", False, "authentication_ldap_sasl"),))
    )


@pytest.mark.parametrize(
    ("flavour", "roles"), [("mysql", ["REVOKE `analyst`@`%` FROM `ana`@`%`"]), ("mariadb", [])]
)
def test_a_dry_run_shows_roles_only_where_they_do_not_go_with_the_rights(flavour, roles):
    class Dry(Scripted):
        def run(self, statement: Sql, *, shown: str = "") -> bool:
            self.sent.append(statement)
            return False

    class Seen:
        session = Dry()

        def grants(self, login, host):
            return [Grant(Kind.RIGHTS, "SELECT", "*.*"), Grant(Kind.ROLE, "`analyst`@`%`")]

        def entitlements(self, login):
            return ()

        def definers(self, login):
            return []

    seen = Seen()
    seen.flavour = FLAVOURS[flavour]
    take_away(seen, Login("ana", (HostAccount("%", False, "mysql_native_password"),)))
    assert seen.session.sent == ["REVOKE ALL PRIVILEGES, GRANT OPTION FROM `ana`@`%`", *roles]


def test_a_rotation_that_fails_at_its_end_says_what_works():
    class Refusing(Scripted):
        def run(self, statement: Sql, *, shown: str = "") -> bool:
            raise ConnectorError(ErrorKind.RETRYABLE, "The server is busy.")

    class Seen:
        session = Refusing()

    login = Login("shared", (HostAccount("%", False, "mysql_native_password", (("x", "y"),)),))
    for flavour, words in ((FLAVOURS["mariadb"], "works beside the old one"), (MySql(), "does not work")):
        seen = Seen()
        seen.flavour = flavour
        with pytest.raises(ConnectorError) as refusal:
            rotation.finish(seen, login, "new")
        assert words in refusal.value.message


@pytest.mark.parametrize(
    ("version", "name_or_none"),
    [
        ("10.11.19-MariaDB-0+deb12u1", "MariaDB"),
        ("5.5.5-10.4.2-MariaDB-log", "MariaDB"),
        ("11.4.2-MariaDB", "MariaDB"),
        ("10.3.39-MariaDB", None),
        ("8.0.36", "MySQL"),
        ("9.1.0-commercial", "MySQL"),
        ("5.7.44-log", None),
        ("nonsense", None),
    ],
)
def test_the_server_is_known_by_its_version_and_one_that_is_too_old_is_refused(version, name_or_none):
    session = Scripted([{"version": version}])
    if name_or_none is None:
        with pytest.raises(ConnectorError) as refusal:
            detect(session)
        assert refusal.value.kind is ErrorKind.UNSUPPORTED
    else:
        assert detect(session).name == name_or_none


def test_a_native_verifier_is_what_the_server_makes_of_a_password():
    # SELECT PASSWORD('anapw') on MariaDB 10.11
    assert native_verifier("anapw") == "*06643F75EBD9143C0BBCE8D611F9A4462534B3EC"
