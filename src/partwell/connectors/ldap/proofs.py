"""What reading an account back shows of its groups and of its open connections."""

from __future__ import annotations

from partwell.connector_kit.contract import Account, Proof, Verdict


def groups_proof(account: Account) -> Proof:
    if not account.entitlements:
        return Proof(Verdict.CONFIRMED, "Read afresh: in no group, neither directly nor through another.")
    names = ", ".join(sorted(entitlement.name for entitlement in account.entitlements)[:10])
    return Proof(Verdict.FAILED, f"Read afresh: still in {len(account.entitlements)} groups ({names}).")


def open_connections(account: Account) -> str:
    if account.open_sessions is None:
        return (
            "An open connection keeps reading until it is closed; this directory does not tell us whether "
            "there are any."
        )
    if account.open_sessions == 0:
        return "No connection of this account is open."
    return (
        f"{account.open_sessions} open connection(s) of this account keep reading until they are closed: "
        "suspending does not end them."
    )
