"""What the groups and roles of a user may do, whatever they are called."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import Account, ConnectorError, ErrorKind
from partwell.connectors.keycloak.tests.model import MANAGEMENT, MASTER, REALM


def told(account: Account) -> dict[str, str]:
    return {held.name: held.power for held in account.entitlements if held.power}


async def read(connect, user_id: str, **settings) -> Account:
    account = await connect(**settings).read(user_id)
    assert account is not None
    return account


async def test_a_composite_role_is_told_with_what_it_inherits_through_others(connect, realm):
    user_id = realm.add_user()
    realm.roles[user_id] += [("", "frontdesk"), ("", "reader")]
    realm.composites[("", "frontdesk")] = [("", "support"), ("client-shop", "buyer")]
    realm.composites[("", "support")] = [("", "frontdesk"), (MANAGEMENT, "manage-users")]
    realm.composites[("", "reader")] = [(MANAGEMENT, "view-users")]
    account = await read(connect, user_id)
    assert told(account) == {"role frontdesk": "inherits manage-users of realm-management"}
    assert account.powers == ()


async def test_a_group_is_told_with_what_it_and_its_parents_give(connect, realm):
    user_id = realm.add_user()
    parent = realm.add_group("/staff")
    realm.add_group("/staff/desk", user_id)
    realm.add_group("/club", user_id)
    realm.group_roles[parent] = [("", "keys")]
    realm.composites[("", "keys")] = [(MANAGEMENT, "realm-admin")]
    realm.composites[(MANAGEMENT, "realm-admin")] = [(MANAGEMENT, "manage-users"), (MANAGEMENT, "view-users")]
    account = await read(connect, user_id)
    # realm-admin is made of all the others, and is told alone.
    assert told(account) == {"group /staff/desk": "inherits realm-admin of realm-management"}


async def test_a_role_that_rules_by_itself_is_told_in_words(connect, realm):
    user_id = realm.add_user()
    realm.roles[user_id] += [(MANAGEMENT, "impersonation"), (MANAGEMENT, "view-users")]
    assert told(await read(connect, user_id)) == {
        "role impersonation of realm-management": "may act as every user"
    }


async def test_what_everybody_was_given_by_mistake_is_told_of_the_account(connect, realm):
    user_id = realm.add_user()
    realm.composites[("", f"default-roles-{REALM}")] = [(MANAGEMENT, "manage-clients")]
    account = await read(connect, user_id)
    assert told(account) == {}
    assert account.powers == ("has manage-clients of realm-management besides its groups and roles",)


async def test_a_role_called_admin_of_another_client_rules_no_realm(connect, realm):
    user_id = realm.add_user()
    realm.add_group("/staff", user_id)
    realm.roles[user_id] += [("", "composite")]
    realm.composites[("", "composite")] = [("client-shop", "admin")]
    account = await read(connect, user_id)
    assert told(account) == {} and account.powers == ()


async def test_a_hidden_client_of_the_administration_is_not_taken_for_no_power(connect, realm):
    user_id = realm.add_user()
    realm.hidden_clients.add(MANAGEMENT)
    with pytest.raises(ConnectorError) as failure:
        await read(connect, user_id)
    assert failure.value.kind is ErrorKind.DENIED
    assert "view-clients" in failure.value.message


async def test_in_master_its_own_roles_rule_the_other_realms(connect, realm):
    user_id = realm.add_user()
    group = realm.add_group("/staff", user_id)
    realm.roles[user_id] += [("", "create-realm"), (MANAGEMENT, "manage-users"), (MASTER, "manage-users")]
    realm.group_roles[group] = [("", "admin")]
    account = await read(connect, user_id, realm="master", login_realm=REALM)
    assert told(account) == {
        "group /staff": "inherits admin",
        "role create-realm": "makes realms and administers them",
        "role manage-users of master-realm": "changes every user",
    }
