"""What one host shows: everybody there, and one login whole. Each answer is read strictly: a line that is not
as expected is an error, never "there is nothing"."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.ssh.shell import Done, Shell

NOLOGIN = "/usr/sbin/nologin"
MAX_KEYS_BYTES = 1024 * 1024
_NO_ENTRY = ("nologin", "false")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@+-]{0,254}\$?")
_STATUS = {"P": True, "PS": True, "L": False, "LK": False, "NP": True}
_SUDO_NONE = re.compile(r"User \S+ is not allowed to run sudo on \S+\.")
_SUDO_SOME = re.compile(r"User \S+ may run the following commands on \S+:")
_KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+)\s+(AAAA[A-Za-z0-9+/]+={0,2})(?:\s+(.*))?$")
_MISSING = ("No such file or directory", "Not a directory")


@dataclass(frozen=True)
class Entry:
    """A line of the host's user database."""

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str


@dataclass(frozen=True)
class Group:
    """A line of the host's group database."""

    name: str
    gid: int
    members: frozenset[str]


@dataclass(frozen=True)
class Roster:
    """Everybody on one host. `expires` has the local accounts, with the day since 1970 from which each is
    closed, or None; who is not in it comes from a directory."""

    entries: Mapping[str, Entry]
    expires: Mapping[str, int | None]
    groups: Mapping[int, Group]
    people: range
    today: int

    def is_open(self, name: str) -> bool | None:
        """Whether the account has not expired; None for one of a directory, which the host cannot say."""
        if name not in self.expires:
            return None
        day = self.expires[name]
        return day is None or day >= self.today

    def members(self, group: str) -> set[str]:
        """Who is in a group on this host, by its list or by their primary group."""
        found: set[str] = set()
        for each in self.groups.values():
            if each.name == group:
                found |= each.members
                found |= {entry.name for entry in self.entries.values() if entry.gid == each.gid}
        return found


@dataclass(frozen=True)
class Key:
    """A line of an authorized_keys file: its fingerprint, where it has one, and what else it says."""

    fingerprint: str
    comment: str

    @property
    def said(self) -> str:
        """The key, for people."""
        return f"{self.comment} {self.fingerprint}".strip()


@dataclass(frozen=True)
class KeyFile:
    """A file in which sshd looks for keys; `is_safe` when it and its folder are real and the login's own."""

    path: str
    keys: tuple[Key, ...]
    is_safe: bool


@dataclass(frozen=True)
class Process:
    """Something that runs with the login's real user id."""

    pid: int
    seconds: int
    program: str


@dataclass(frozen=True)
class Seen:
    """One login on one host, as just read."""

    entry: Entry
    is_local: bool
    expires: int | None
    is_expired: bool
    has_password: bool
    groups: tuple[str, ...]
    rules: tuple[str, ...]
    key_files: tuple[KeyFile, ...]
    processes: tuple[Process, ...]
    why_protected: str = ""
    is_service: bool = False

    @property
    def is_open(self) -> bool | None:
        """Whether the account has not expired; None for one of a directory."""
        return not self.is_expired if self.is_local else None

    @property
    def has_no_shell(self) -> bool:
        """Whether what would start for a sign-in ends at once."""
        return self.entry.shell.rpartition("/")[2] in _NO_ENTRY

    @property
    def is_blocked(self) -> bool:
        """Whether sshd lets nobody in by it: expired closes the account, and nothing would start."""
        return self.is_local and self.is_expired and self.has_no_shell

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys, of all files."""
        return tuple(key for file in self.key_files for key in file.keys)

    @property
    def said(self) -> str:
        """The state of the account, in words."""
        if not self.is_local:
            return "from a directory"
        closed = "expired" if self.is_expired else "open"
        return f"{closed}, shell {self.entry.shell or '/bin/sh'}"


def checked_name(external_id: str) -> str:
    """The login. Raises INVALID for what no account is called."""
    if not _NAME.fullmatch(external_id):
        raise ConnectorError(ErrorKind.INVALID, "This is not the name of an account.")
    return external_id


def possible_names(names: Iterable[str]) -> list[str]:
    """Those of the names that an account could have."""
    return sorted({name for name in names if _NAME.fullmatch(name)})


async def read_roster(shell: Shell, also: Sequence[str], now: datetime) -> Roster:
    """Everybody, and those of the names `also` that a directory knows without listing them."""
    listed = await shell.run("/usr/bin/getent", "passwd")
    entries = {entry.name: entry for entry in map(_entry, _lines(listed))}
    if asked := [name for name in also if name not in entries]:
        # 2: one of them is nobody's.
        more = await shell.run("/usr/bin/getent", "passwd", "--", *asked, expect=(0, 2))
        entries |= {entry.name: entry for entry in map(_entry, _lines(more))}
    if not any(entry.uid == 0 for entry in entries.values()):
        raise _strange("getent passwd")  # no list of everybody is without root
    # Names and days alone: nobody's password leaves the host.
    shadow = await shell.run("/usr/bin/cut", "-d:", "-f1,8", "--", "/etc/shadow", as_root=True)
    expires = dict(map(_expiry, _lines(shadow)))
    groups = await shell.run("/usr/bin/getent", "group")
    limits = await shell.run("/usr/bin/cat", "--", "/etc/login.defs")
    return Roster(
        entries,
        expires,
        {group.gid: group for group in map(_group, _lines(groups))},
        range(_limit(limits, "UID_MIN", 1000), _limit(limits, "UID_MAX", 60000) + 1),
        (now.date() - datetime(1970, 1, 1).date()).days,  # noqa: DTZ001 - a calendar day
    )


async def read_login(shell: Shell, roster: Roster, name: str, key_files: Sequence[str]) -> Seen | None:
    """One login whole; None when the host says that it has none."""
    entry = roster.entries.get(name)
    if entry is None:
        return None
    is_local = name in roster.expires
    ids = await shell.run("/usr/bin/id", "-G", "--", name)
    return Seen(
        entry=entry,
        is_local=is_local,
        expires=roster.expires.get(name),
        is_expired=roster.is_open(name) is False,
        has_password=await _has_password(shell, name) if is_local else False,
        groups=_groups(ids, roster, entry),
        rules=await _rules(shell, name),
        key_files=tuple([await _key_file(shell, path, entry) for path in _paths(key_files, entry)]),
        processes=await read_processes(shell, entry.uid),
    )


async def read_processes(shell: Shell, uid: int) -> tuple[Process, ...]:
    """What runs with this real user id. What has ended and only waits to be counted is left out."""
    done = await shell.run(
        "/usr/bin/ps", "-o", "pid=,state=,etimes=,comm=", "-U", str(uid), as_root=True, expect=(0, 1)
    )
    if done.status == 1 and (done.out.strip() or done.err.strip()):
        raise _strange("ps", done)
    found = []
    for line in _lines(done):
        match line.split(maxsplit=3):
            case [pid, state, seconds, program] if pid.isdecimal() and seconds.isdecimal():
                if not state.startswith(("Z", "X")):
                    found.append(Process(int(pid), int(seconds), program))
            case _:
                raise _strange("ps")
    return tuple(found)


async def has_crontab(shell: Shell, name: str) -> bool:
    """Whether cron runs something as this login."""
    done = await shell.run("/usr/bin/crontab", "-l", "-u", name, as_root=True, expect=(0, 1), optional=True)
    if done.status == 0:
        return any(line.strip() and not line.lstrip().startswith("#") for line in done.out.splitlines())
    if done.is_not_installed or done.err.strip().startswith("no crontab for "):
        return False
    raise _strange("crontab", done)


async def _has_password(shell: Shell, name: str) -> bool:
    words = (await shell.run("/usr/bin/passwd", "-S", "--", name, as_root=True)).out.split()
    if len(words) < 2 or words[0] != name or words[1] not in _STATUS:
        raise _strange("passwd -S")
    return _STATUS[words[1]]


async def _rules(shell: Shell, name: str) -> tuple[str, ...]:
    done = await shell.run("/usr/bin/sudo", "-l", "-U", name, as_root=True, optional=True)
    if done.status != 0:
        return ()  # the host has no sudo
    lines = [line.rstrip() for line in done.out.splitlines()]
    for number, line in enumerate(lines):
        if _SUDO_NONE.fullmatch(line.strip()):
            return ()
        if _SUDO_SOME.fullmatch(line.strip()):
            rules = [" ".join(rule.split()) for rule in lines[number + 1 :] if rule.strip()]
            return tuple(dict.fromkeys(rules))
    raise _strange("sudo -l", done)


async def _key_file(shell: Shell, path: str, entry: Entry) -> KeyFile:
    kind, _ = await _kind(shell, path)
    if not kind:
        return KeyFile(path, (), is_safe=True)
    folder, owner = await _kind(shell, path.rpartition("/")[0] or "/")
    is_safe = folder == "directory" and owner in (entry.uid, 0)
    if not kind.startswith("regular"):
        # A link may lead anywhere, and root would follow it.
        return KeyFile(path, (Key("", f"a {kind}, not followed"),), is_safe=is_safe)
    done = await shell.run("/usr/bin/head", "-c", str(MAX_KEYS_BYTES), "--", path, as_root=True)
    return KeyFile(path, tuple(_keys(done.out)), is_safe=is_safe)


async def _kind(shell: Shell, path: str) -> tuple[str, int]:
    """What is at a path, links not followed, and whose it is; an empty text when nothing is."""
    done = await shell.run("/usr/bin/stat", "-c", "%u %F", "--", path, as_root=True, expect=(0, 1))
    if done.status == 1 and done.err.strip().endswith(_MISSING) and not done.out.strip():
        return "", 0
    owner, _, kind = done.out.strip().partition(" ")
    if done.status == 1 or not owner.isdecimal() or not kind:
        raise _strange("stat", done)
    return kind, int(owner)


def _keys(text: str) -> Iterable[Key]:
    """Every line that sshd would try; of one that cannot be told, that it is there."""
    for line in text.splitlines():
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        found = _KEY.search(words)
        try:
            blob = base64.b64decode(found.group(2), validate=True) if found else b""
        except ValueError:
            blob = b""
        if found and blob:
            digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
            yield Key(f"SHA256:{digest}", f"{found.group(1)} {found.group(3) or ''}".strip()[:120])
        else:
            yield Key("", "a line that is no key by itself")


def _paths(patterns: Sequence[str], entry: Entry) -> list[str]:
    """The files that sshd's `AuthorizedKeysFile` means for this login."""
    words = {"%%": "%", "%h": entry.home, "%u": entry.name}
    found = []
    for pattern in patterns:
        path = re.sub("%[%hu]", lambda match: words[match.group()], pattern)
        found.append(path if path.startswith("/") else f"{entry.home.rstrip('/')}/{path}")
    return found


def _groups(done: Done, roster: Roster, entry: Entry) -> tuple[str, ...]:
    """All groups but the primary one, which an account cannot be without."""
    ids = done.out.split()
    if not ids or not all(each.isdecimal() for each in ids):
        raise _strange("id", done)
    others = {int(each) for each in ids} - {entry.gid}
    known = roster.groups
    listed = {group.name for group in known.values() if entry.name in group.members}
    return tuple(sorted(listed | {known[each].name if each in known else str(each) for each in others}))


def _lines(done: Done) -> list[str]:
    return [line for line in done.out.splitlines() if line.strip()]


def _entry(line: str) -> Entry:
    match line.split(":"):
        case [name, _, uid, gid, comment, home, shell] if name and uid.isdecimal() and gid.isdecimal():
            return Entry(name, int(uid), int(gid), comment, home, shell)
    raise _strange("getent passwd")


def _group(line: str) -> Group:
    match line.split(":"):
        case [name, _, gid, members] if name and gid.isdecimal():
            return Group(name, int(gid), frozenset(filter(None, members.split(","))))
    raise _strange("getent group")


def _expiry(line: str) -> tuple[str, int | None]:
    name, found, day = line.partition(":")
    if not found or not name or not (day in ("", "-1") or day.isdecimal()):
        raise _strange("cut")
    return name, int(day) if day.isdecimal() else None


def _limit(done: Done, name: str, otherwise: int) -> int:
    found = re.search(rf"^\s*{name}\s+([0-9]+)\s*$", done.out, re.MULTILINE)
    return int(found.group(1)) if found else otherwise


def _strange(program: str, done: Done | None = None) -> ConnectorError:
    """An answer that is not as such answers are. Of its text, only the program's complaint is told."""
    said = f" ({done.err.strip().splitlines()[0][:200]})" if done and done.err.strip() else ""
    return ConnectorError(
        ErrorKind.RETRYABLE,
        f"{program} answered what Partwell does not understand{said}; nothing is taken from it.",
    )
