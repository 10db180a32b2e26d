"""What has to be run on a host for each verb, and to undo it. Pure functions: from what was seen to commands.

Expiry comes first, since it closes the account however somebody signs in. The day is the second of January
1970: of the first, shadow(5) says that it may be read as "never".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Verb
from partwell.connectors.ssh.reading import NOLOGIN, Seen

Command = tuple[str, ...]

CLOSED_SINCE = "1"  # days since 1970
ASIDE = ".partwell"
PKILL = "/usr/bin/pkill"
_MOVE = ("/usr/bin/mv", "--backup=numbered", "-T", "--")


def for_block(seen: Seen) -> list[Command]:
    """Expire the account, and let nothing start for it."""
    if seen.is_blocked:
        return []
    _check_is_local(seen)
    name = seen.entry.name
    found: list[Command] = []
    if not seen.is_expired:
        found.append(("/usr/bin/chage", "-E", CLOSED_SINCE, "--", name))
    if not seen.has_no_shell:
        found.append(("/usr/sbin/usermod", "-s", NOLOGIN, "--", name))
    return found


def for_suspension(seen: Seen) -> list[Command]:
    """As `for_block`, and lock the password, which other programs than sshd may take."""
    found = for_block(seen)
    if seen.has_password:
        _check_is_local(seen)
        found.append(("/usr/sbin/usermod", "-L", "--", seen.entry.name))
    return found


def for_sessions(seen: Seen) -> list[Command]:
    """End everything that runs as the login."""
    return [(PKILL, "-KILL", "-U", str(seen.entry.uid))] if seen.processes else []


def for_tokens(seen: Seen) -> list[Command]:
    """Move the files with keys aside. Raises CONFLICT where that would reach beyond the login's own."""
    found: list[Command] = []
    for file in seen.key_files:
        if not file.keys:
            continue
        if not file.is_safe:
            raise ConnectorError(
                ErrorKind.CONFLICT,
                f"{file.path} lies in a folder that is a link or belongs to somebody else; look at it, and "
                "move it by hand.",
            )
        found.append((*_MOVE, file.path, file.path + ASIDE))
    return found


def for_entitlements(seen: Seen) -> list[Command]:
    """Take the login out of its groups. Raises UNSUPPORTED where only rules of sudo are left, which stand in
    files that are the administrators' to edit."""
    if seen.groups:
        return [("/usr/bin/gpasswd", "-d", seen.entry.name, group) for group in seen.groups]
    if seen.rules:
        raise ConnectorError(
            ErrorKind.UNSUPPORTED,
            f"sudoers has rules for {seen.entry.name}: {'; '.join(seen.rules[:5])}. "
            "Take them out by hand (visudo).",
        )
    return []


FOR = {
    Verb.BLOCK_SIGN_IN: for_block,
    Verb.SUSPEND: for_suspension,
    Verb.REVOKE_SESSIONS: for_sessions,
    Verb.REVOKE_TOKENS: for_tokens,
    Verb.REMOVE_ENTITLEMENTS: for_entitlements,
}


# -- undoing ----------------------------------------------------------------------------------------------


def as_snapshot(seen: Seen) -> dict[str, Any]:
    """What `undoing` needs of one host. No key and no password is in it."""
    return {
        "state": seen.said,
        "expires": seen.expires,
        "was_expired": seen.is_expired,
        "shell": seen.entry.shell,
        "had_password": seen.has_password,
        "groups": list(seen.groups),
        "key_files": [file.path for file in seen.key_files if file.keys],
    }


def undoing(verb: Verb, seen: Seen, before: Mapping[str, Any]) -> list[Command]:
    """What puts back on one host what `verb` took, as far as it differs from the snapshot."""
    name = seen.entry.name
    if verb is Verb.REMOVE_ENTITLEMENTS:
        gone = [group for group in before["groups"] if group not in seen.groups]
        return [("/usr/bin/gpasswd", "-a", name, group) for group in gone]
    if verb is Verb.REVOKE_TOKENS:
        return _keys_back(seen, before["key_files"])
    found: list[Command] = []
    if seen.is_expired and not before["was_expired"]:
        day = "-1" if before["expires"] is None else str(before["expires"])
        found.append(("/usr/bin/chage", "-E", day, "--", name))
    if seen.entry.shell != before["shell"] and seen.has_no_shell:
        found.append(("/usr/sbin/usermod", "-s", before["shell"], "--", name))
    if verb is Verb.SUSPEND and before["had_password"] and not seen.has_password:
        found.append(("/usr/sbin/usermod", "-U", "--", name))
    return found


def _keys_back(seen: Seen, paths: Sequence[str]) -> list[Command]:
    files = {file.path: file for file in seen.key_files}
    found: list[Command] = []
    for path in paths:
        file = files.get(path)
        if file is None or not file.is_safe:
            raise ConnectorError(ErrorKind.CONFLICT, f"{path} is not where it was; put it back by hand.")
        if not file.keys:
            found.append((*_MOVE, path + ASIDE, path))
    return found


def _check_is_local(seen: Seen) -> None:
    if not seen.is_local:
        raise ConnectorError(
            ErrorKind.UNSUPPORTED,
            f"{seen.entry.name} comes from a directory, which the host cannot change. Cut it there.",
        )
