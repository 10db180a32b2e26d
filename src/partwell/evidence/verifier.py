#!/usr/bin/env python3
"""Verify an evidence pack of Partwell: python3 verify.py PACK.zip [--head SIZE:ROOT:FINGERPRINT] [--json]

Needs Python 3.9 or later and nothing else; opens no connection. Exit status 0: whole; 1: not; 2: bad usage.
Take this file from a source that you trust rather than from the pack that you doubt: one who can change a
pack can change the verifier in it. It is one file on purpose, so that it can be read whole. Give --head as
it was printed or mailed when the departure was closed; without it, a pack can only be shown to be whole in
itself.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import unicodedata
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SALT_BYTES = 16
MOST_EXPANSION = 200
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
EVENTS, PROOFS, HEAD = "events.json", "proofs.json", "head.json"
POPULATION_LISTED = "audit.population_listed"
SAMPLE_DRAWN = "audit.sample_drawn"
REQUIRED = (MANIFEST, SIGNATURE, EVENTS, PROOFS, HEAD, "index.html", "verify.py", "README.txt")


# --- What a leaf is ---------------------------------------------------------------------------------


# Made once: `json.dumps` makes one for each value, which costs more than the spelling.
_SPELLING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no white space, UTF-8: one value, one spelling."""
    return _SPELLING.encode(value).encode()


def field_digest(salt: str, value: Any) -> str:
    """The hex digest that a leaf holds for one field; `salt` is hex of exactly 16 bytes.

    The length is checked because a byte moved from the value into the salt would hash the same.
    """
    raw = bytes.fromhex(salt)
    if len(raw) != SALT_BYTES or salt != raw.hex():
        raise ValueError("the salt is not 16 bytes of lower-case hex")
    return hashlib.sha256(raw + canonical(value)).hexdigest()


def leaf_from_digests(event_id: str, digests: Mapping[str, str]) -> bytes:
    """The bytes that the tree commits to for one event."""
    return canonical({"v": 1, "id": event_id, "fields": dict(digests)})


# --- RFC 6962 / RFC 9162 ----------------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 § 2.1: leaves and nodes are hashed with different first bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` (its hash) is number `index` of the tree of `size` with `root` (RFC 9162 § 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, digest = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            digest = node_hash(sibling, digest)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            digest = node_hash(digest, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and digest == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree (`old`, `old_root`) is the beginning of (`new`, `new_root`) (RFC 9162 § 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == new_root


# --- Ed25519, RFC 8032 § 5.1, verification only ------------------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, xy = T/Z


def _add(p: _Point, q: _Point) -> _Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point, scalar = _add(point, point), scalar >> 1
    return result


def _decode(raw: bytes) -> _Point | None:
    """The point that 32 bytes stand for; None when they stand for none, or are not its one spelling."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * _SQRT_M1 % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` was made by the private half of `public_key`."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, s = _decode(public_key), int.from_bytes(signature[32:], "little")
    if key is None or _BASE is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _L
    negated = (_P - key[0], key[1], key[2], _P - key[3])
    return _encode(_add(_multiply(s, _BASE), _multiply(k, negated))) == signature[:32]


# --- Heads and fingerprints ---------------------------------------------------------------------------


def fingerprint_of(public_key: bytes) -> str:
    """SHA-256 of the public key, in hex: what people compare."""
    return hashlib.sha256(public_key).hexdigest()


def group(hex_text: str) -> str:
    """Hex in groups of four, for reading aloud."""
    return " ".join(hex_text[i : i + 4] for i in range(0, len(hex_text), 4))


def head_message(size: int, root: str, signed_at: str, key: str) -> bytes:
    """The bytes that a head's signature is over."""
    body = canonical({"v": 1, "size": size, "root": root, "signed_at": signed_at, "key": key})
    return b"partwell tree head\n" + body


@dataclass(frozen=True)
class KeptHead:
    """A head as somebody kept it outside: size, root and, hopefully, the key's fingerprint."""

    size: int
    root: str
    fingerprint: str | None = None


def parse_head(text: str) -> KeptHead:
    """Read `size:root` or `size:root:fingerprint`; white space and capitals do not matter.

    Raises `ValueError` with what is wrong.
    """
    parts = "".join(text.split()).lower().split(":")
    if len(parts) not in (2, 3) or not (parts[0].isascii() and parts[0].isdigit()):
        raise ValueError("a head reads SIZE:ROOT or SIZE:ROOT:FINGERPRINT")
    for part in parts[1:]:
        if len(part) != 64 or set(part) - set("0123456789abcdef"):
            raise ValueError("root and fingerprint are 64 hexadecimal digits each")
    return KeptHead(int(parts[0]), parts[1], parts[2] if len(parts) == 3 else None)


# --- Samples ------------------------------------------------------------------------------------------


def population_digest(refs: Sequence[str]) -> str:
    """What names a population: SHA-256, in hex, of all its references, sorted, each with a line feed."""
    return hashlib.sha256("".join(f"{ref}\n" for ref in sorted(refs)).encode()).hexdigest()


def draw_sample(refs: Sequence[str], seed: str, size: int) -> list[str]:
    """The first `size` references in the order of SHA-256, in hex, of "seed:reference"."""
    return sorted(set(refs), key=lambda ref: (hashlib.sha256(f"{seed}:{ref}".encode()).hexdigest(), ref))[
        :size
    ]


# --- The report ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what kind, where (event id, member, head or node), which field, in words."""

    code: str
    where: str
    message: str
    field: str = ""


@dataclass
class Report:
    """What a verification found. `notes` say what it cannot show."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether nothing at all was found wrong."""
        return not self.problems

    def add(self, code: str, where: str, message: str, field_name: str = "") -> None:
        """Name one more thing that is wrong."""
        self.problems.append(Problem(code, where, message, field_name))

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON shows it."""
        problems = [dict(vars(problem)) for problem in self.problems]
        return {
            "whole": self.is_whole,
            "problems": problems,
            "notes": self.notes,
            "figures": self.figures,
        }

    def as_text(self) -> str:
        """The report as people read it."""
        lines = [f"{name.replace('_', ' '):<14} {value}" for name, value in self.figures.items()]
        lines += [
            f"WRONG  {each.where}{' · ' + each.field if each.field else ''}: {each.message}"
            for each in self.problems
        ]
        lines += [f"Note   {note}" for note in self.notes]
        wrong = len(self.problems)
        lines.append("Whole: nothing was found altered." if not wrong else f"NOT WHOLE: {wrong} found wrong.")
        return "\n".join(lines)


# --- The pack -----------------------------------------------------------------------------------------


def verify_pack(path: str, head: str | None = None) -> Report:
    """Verify the pack at `path`, against a head that was kept outside it when `head` is given.

    Raises `ValueError` when `head` cannot be read, `OSError` when the file cannot. Whatever is wrong with
    the pack itself is named in the report.
    """
    kept = parse_head(head) if head is not None else None
    report = Report()
    try:
        members = _read_members(path, report)
        missing = [name for name in REQUIRED if name not in members]
        for name in missing:
            report.add("missing_member", name, "this member is missing")
        if not missing:
            _check_contents(members, kept, report)
    except (zipfile.BadZipFile, NotImplementedError, struct.error, EOFError, RuntimeError) as error:
        report.add("unreadable", "the zip", f"it cannot be read as a pack: {error}")
    if kept is None:
        report.notes.append(
            "No head was given: this shows that the pack is whole in itself. Give --head, as it was "
            "printed or mailed at closing, to show that it is the installation's own."
        )
    elif kept.fingerprint is None:
        report.notes.append(
            "The head was given without the key's fingerprint: the events are tied to it, the readable page "
            "and the other members are not."
        )
    return report


def _read_members(path: str, report: Report) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as archive:
        _check_wrapping(path, archive, report)
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > MOST_EXPANSION * sum(
            info.compress_size + 4096 for info in infos
        ):
            report.add("unreadable", "the zip", "it unpacks to far more than it weighs; it was not unpacked")
            return {}
        seen: dict[str, str] = {}
        for info in infos:
            name = info.orig_filename
            plain = unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()
            plain = "/".join(part for part in plain.split("/") if part not in ("", "."))
            if plain in seen:
                report.add("duplicate_member", name, f"this name stands for the same file as {seen[plain]}")
            if name in members:
                continue
            seen.setdefault(plain, name)
            try:
                members[name] = archive.read(info)
            except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
                members[name] = b""
                report.add("damaged_member", name, f"its content cannot be read: {error}")
            except Exception as error:
                members[name] = b""
                report.add("damaged_member", name, f"its content cannot be unpacked: {error}")
    return members


def _check_wrapping(path: str, archive: zipfile.ZipFile, report: Report) -> None:
    """Find bytes that no listed member owns: a reader that streams would see a further member there."""
    if archive.comment:
        report.add("extra_bytes", "the zip", "it carries an archive comment, which no pack does")
    end = 0
    with open(path, "rb") as file:  # noqa: PTH123  this file also runs alone
        for info in sorted(archive.infolist(), key=lambda each: each.header_offset):
            file.seek(info.header_offset)
            header = file.read(30)
            if len(header) < 30 or info.header_offset < end:
                report.add("extra_bytes", info.orig_filename, "its place in the zip overlaps another's")
                return
            # A data descriptor takes up to 24 bytes; a hidden member at least 30.
            if info.header_offset - end >= 30 or (end == 0 and info.header_offset):
                report.add(
                    "extra_bytes", info.orig_filename, "bytes that belong to no member stand before it"
                )
            name_length, extra_length = struct.unpack("<HH", header[26:30])
            end = info.header_offset + 30 + name_length + extra_length + info.compress_size
    if archive.start_dir - end >= 30:
        report.add("extra_bytes", "the zip", "bytes that belong to no member stand before its directory")


def _check_contents(members: dict[str, bytes], kept: KeptHead | None, report: Report) -> None:
    try:
        head = json.loads(members[HEAD])
        public_key = bytes.fromhex(head["public_key"])
        message = head_message(head["size"], head["root"], head["signed_at"], head["key"])
        signature = bytes.fromhex(head["signature"])
        fingerprint = fingerprint_of(public_key)
        if type(head["size"]) is not int or len(bytes.fromhex(head["root"])) != 32:
            raise ValueError("neither a size nor a root")
    except (ValueError, KeyError, TypeError, RecursionError):
        report.add("unreadable", HEAD, "it is not the signed head of a pack")
        return
    if fingerprint != head["key"] or not verify_ed25519(public_key, message, signature):
        report.add("bad_signature", HEAD, "the head is not signed by the key that it names")
    _check_manifest(members, public_key, report)
    report.figures.update(
        head=f"{head['size']}:{head['root']}:{fingerprint}",
        signed_at=head["signed_at"],
        key=group(fingerprint),
    )
    proofs = _read_json(members, PROOFS, report)
    events = _read_json(members, EVENTS, report)
    if kept is not None:
        _check_kept_head(kept, head, fingerprint, proofs, report)
    if not isinstance(events.get("events"), list) or not isinstance(proofs.get("inclusion"), dict):
        report.add("unreadable", EVENTS, "it holds no list of events with proofs")
        return
    _check_events(events["events"], proofs["inclusion"], head, report)
    if "sample" in events:
        _check_sample(events["events"], events["sample"], report)


def _read_json(members: dict[str, bytes], name: str, report: Report) -> dict[str, Any]:
    try:
        content = json.loads(members[name])
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        return content
    report.add("unreadable", name, "it is not JSON as a pack has it")
    return {}


def _check_manifest(members: dict[str, bytes], public_key: bytes, report: Report) -> None:
    try:
        signature = members[SIGNATURE].decode("ascii")
        is_signed = signature == signature.lower() and verify_ed25519(
            public_key, b"partwell pack manifest\n" + members[MANIFEST], bytes.fromhex(signature)
        )
    except ValueError:
        is_signed = False
    if not is_signed or len(members[SIGNATURE]) != 128:
        report.add("bad_signature", MANIFEST, "the list of members and its signature do not belong together")
    listed = _read_json(members, MANIFEST, report).get("members")
    if not isinstance(listed, dict):
        report.add("unreadable", MANIFEST, "it lists no members")
        return
    for name in sorted(set(listed) | set(members) - {MANIFEST, SIGNATURE}):
        if name not in members:
            report.add("missing_member", name, "this member is missing")
        elif name not in listed:
            report.add("extra_member", name, "no such member was in the pack")
        elif hashlib.sha256(members[name]).hexdigest() != listed[name]:
            report.add("changed_member", name, "its content is not what was exported")
    report.figures["members"] = len(members)


def _check_kept_head(
    kept: KeptHead, head: dict[str, Any], fingerprint: str, proofs: dict[str, Any], report: Report
) -> None:
    if kept.fingerprint not in (None, fingerprint):
        report.add(
            "other_key", HEAD, "the pack is signed by another key than the one whose fingerprint you gave"
        )
    if kept.size == head["size"]:
        if kept.root != head["root"]:
            report.add("other_root", HEAD, "at the size that you gave, the pack has another root: rewritten")
        return
    if kept.size > head["size"]:
        report.add(
            "older_pack",
            HEAD,
            f"the pack ends at {head['size']}, before your head: rolled back, or exported earlier",
        )
        return
    try:
        proof = [bytes.fromhex(each) for each in proofs["consistency"][str(kept.size)]["proof"]]
        roots = bytes.fromhex(kept.root), bytes.fromhex(head["root"])
        is_consistent = verify_consistency(kept.size, head["size"], *roots, proof)
    except (KeyError, TypeError, ValueError):
        report.add("not_tied", PROOFS, "the pack holds no proof from the head that you gave to its own")
        return
    if not is_consistent:
        report.add(
            "other_root", PROOFS, "the head that you gave is not the beginning of this record: rewritten"
        )


def _check_events(events: list[Any], proofs: dict[str, Any], head: dict[str, Any], report: Report) -> None:
    root, seen, hidden = bytes.fromhex(head["root"]), set(), 0
    for number, event in enumerate(events):
        where = f"event number {number}"
        try:
            where = str(event["id"])
            digests = {}
            for name, kept in event["fields"].items():
                hidden += "value" not in kept
                digests[name] = (
                    field_digest(kept["salt"], kept["value"]) if "value" in kept else kept["digest"]
                )
            leaf = leaf_hash(leaf_from_digests(where, digests))
            proof = [bytes.fromhex(each) for each in proofs[where]]
            is_in = verify_inclusion(leaf, event["sequence"], head["size"], proof, root)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            is_in = False
        if where in seen:
            report.add("duplicate_event", where, "this event is there twice")
        seen.add(where)
        if not is_in:
            report.add("not_in_tree", where, "what this event says is not what the signed head holds")
    for extra in sorted(set(proofs) - seen):
        report.add("missing_event", extra, "there is a proof for this event, but not the event")
    report.figures.update(events=len(events), fields_left_out=hidden)


def _check_sample(events: list[Any], drawn_by: Any, report: Report) -> None:
    """Whether the people drawn follow from the seed and the population that are on record."""
    where = str(drawn_by)
    try:
        said = {
            str(event["id"]): {name: kept.get("value") for name, kept in event["fields"].items()}
            for event in events
        }
        drawing = said[where]
        lists = [each["refs"] for each in said.values() if each.get("kind") == POPULATION_LISTED]
        listed = [refs for refs in lists if population_digest(refs) == drawing["population"]]
        if drawing["kind"] != SAMPLE_DRAWN or not listed:
            report.add("other_population", where, "the population that was drawn from is not in the pack")
            return
        is_drawn = draw_sample(listed[0], drawing["seed"], drawing["size"]) == drawing["drawn"]
    except (KeyError, TypeError, ValueError, AttributeError):
        report.add("unreadable", where, "the pack does not say how its sample was drawn")
        return
    if not is_drawn:
        report.add("wrong_sample", where, "seed and population lead to another sample than this one")
    report.figures.update(sample=f"{drawing['size']} of {len(listed[0])}, seed {drawing['seed']}")


def main(arguments: Sequence[str]) -> int:
    """The command line. Returns the exit status."""
    rest, head, as_json = list(arguments), None, "--json" in arguments
    rest = [each for each in rest if each != "--json"]
    if "--head" in rest and rest.index("--head") + 1 < len(rest):
        at = rest.index("--head")
        head, rest = rest[at + 1], rest[:at] + rest[at + 2 :]
    if len(rest) != 1 or rest[0].startswith("-"):
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        report = verify_pack(rest[0], head)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write((json.dumps(report.as_dict(), indent=2) if as_json else report.as_text()) + "\n")
    return 0 if report.is_whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
