"""Changing one account and its memberships within a signed-in session."""

from __future__ import annotations

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Receipt, Snapshot
from partwell.connectors.ldap.session import ADD, DELETE, Changes, Entry
from partwell.connectors.ldap.view import View


def leave_groups(view: View, entry: Entry) -> Receipt:
    """Take the account out of every group that names it. One that refuses does not stop the others.

    Raises with all that refused, and CONFLICT for a primary group: it is an attribute of the account, and
    another one has to be chosen first.
    """
    groups, primary = view.groups(entry), view.primary_group(entry)
    if not groups and primary is None:
        return Receipt(Outcome.ALREADY_DONE, "It was in no group.")
    view.refuse_protected(entry)
    removed: list[str] = []
    failures: list[tuple[str, ConnectorError]] = []
    for group in groups:
        attribute, value = view.flavour.membership(group, entry)
        try:
            view.session.modify(group.dn, {attribute: [(DELETE, [value])]})
            removed.append(group.dn)
        except ConnectorError as error:
            failures.append((group.dn, error))
    if failures:
        left = "; ".join(f"{dn}: {error.message}" for dn, error in failures)
        raise ConnectorError(
            failures[0][1].kind,
            f"Removed from {len(removed)} of {len(groups)} groups. Still a member: {left} A group "
            "that may not be empty needs another member first.",
        )
    if primary is not None:
        raise ConnectorError(
            ErrorKind.CONFLICT,
            f"Removed from {len(removed)} groups. {primary.first('cn')} is its primary group, which no "
            "account can be without: make Domain Users the primary group, then ask again.",
        )
    return Receipt(Outcome.DONE, f"Removed from {len(removed)} groups.", request={"removed_from": removed})


def rejoin_groups(view: View, entry: Entry, snapshot: Snapshot) -> Receipt:
    """Join the groups of the snapshot again. Raises NOT_FOUND for those deleted since."""
    joined, gone = 0, []
    for membership in snapshot.state.get("memberships", []):
        group = view.find_group(membership["id"])
        if group is None:
            gone.append(membership["name"])
            continue
        # The person may have been renamed since: a DN goes back as it is now.
        value = entry.first("uid") if membership["attribute"] == "memberUid" else entry.dn
        joined += view.session.modify(group.dn, {membership["attribute"]: [(ADD, [value])]})
    if gone:
        raise ConnectorError(
            ErrorKind.NOT_FOUND,
            f"Back in {joined} groups. These no longer exist: {', '.join(gone)}.",
        )
    outcome = Outcome.DONE if joined else Outcome.ALREADY_DONE
    return Receipt(outcome, f"Back in {joined} groups.")


def modify(view: View, entry: Entry, changes: Changes) -> None:
    """Change the account. Raises RETRYABLE when somebody else changed it in between."""
    if not view.session.modify(entry.dn, changes):
        raise ConnectorError(
            ErrorKind.RETRYABLE, "Somebody else changed the account at the same moment; nothing was changed."
        )


def shown(changes: Changes) -> dict[str, list[str]]:
    """The changes as a receipt has them."""
    return {name: [value for _, values in parts for value in values] for name, parts in changes.items()}
