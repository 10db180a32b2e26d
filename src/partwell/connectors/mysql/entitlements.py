"""Taking rights and roles away, account by account, and giving them back as SHOW GRANTS told them."""

from __future__ import annotations

from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Receipt, Snapshot
from partwell.connectors.mysql.flavours import Login
from partwell.connectors.mysql.grants import Grant, Kind, granting, revoking
from partwell.connectors.mysql.statements import sql
from partwell.connectors.mysql.view import View


def as_snapshot(view: View, login: Login) -> dict[str, Any]:
    """What giving it back needs, for each host."""
    return {
        host.host: {
            "locked": host.is_locked,
            "grants": [grant.as_snapshot() for grant in view.grants(login, host)],
        }
        for host in login.hosts
    }


def take_away(view: View, login: Login) -> Receipt:
    """REVOKE ALL, then whatever that leaves. One account that refuses does not stop the others."""
    before = view.entitlements(login)
    runs_with_its_rights = view.definers(login)
    refused: list[str] = []
    kind = ErrorKind.DENIED
    for host in login.hosts:
        account = login.account(host)
        try:
            is_sent = view.session.run(sql("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {}", account))
            for grant in view.grants(login, host):
                if not is_sent and grant.kind is Kind.ROLE and view.flavour.roles_go_with_rights:
                    continue  # a dry run reads them still
                # In MariaDB roles have gone with the rest; in MySQL they have not, and proxies in neither.
                if statement := revoking(grant, account):
                    view.session.run(statement)
        except ConnectorError as error:
            refused.append(f"{host.host}: {error.message}")
            kind = error.kind
    left_over = view.entitlements(login)
    gone = len(before) - len(left_over)
    if refused:
        names = "; ".join(each.name for each in left_over[:10])
        raise ConnectorError(
            kind,
            f"{gone} of {len(before)} rights and roles were taken away. Still there: {names}. "
            f"{' '.join(refused)}",
        )
    warning = ""
    if runs_with_its_rights:
        names = ", ".join(each.name.partition(",")[0] for each in runs_with_its_rights[:10])
        warning = (
            f" {len(runs_with_its_rights)} things run with this account's rights and stop working for "
            f"everybody: {names}. Give them another definer."
        )
    return Receipt(
        Outcome.DONE,
        f"{gone} rights and roles were taken away.{warning}",
        request={"revoked": [each.name for each in before]},
    )


def give_back(view: View, login: Login, snapshot: Snapshot) -> Receipt:
    """GRANT what is in the snapshot and not there now. What is refused is named, for who may."""
    given = 0
    missing: list[str] = []
    kind = ErrorKind.NOT_FOUND
    hosts = {host.host: host for host in login.hosts}
    for name, kept in snapshot.state.get("hosts", {}).items():
        if name not in hosts:
            missing.append(f"the account for {name} (it no longer exists)")
            continue
        now = view.grants(login, hosts[name])
        for each in kept["grants"]:
            grant = Grant.from_snapshot(each)
            if grant in now:
                continue
            try:
                view.session.run(granting(grant, login.account(hosts[name])))
                given += 1
            except ConnectorError as error:
                missing.append(f"{grant.said}, for {name} ({error.message})")
                kind = error.kind
    if missing:
        raise ConnectorError(
            kind,
            f"{given} rights and roles were given back. Still missing: {'; '.join(missing)}. Partwell can "
            "give only what it holds itself with the right to pass it on; the rest has to be given by hand.",
        )
    if not given:
        return Receipt(Outcome.ALREADY_DONE, "It holds all that it held.")
    return Receipt(Outcome.DONE, f"{given} rights and roles were given back.")
