"""Verifying the whole record in the database: every leaf, node, signature and sequence.

Damage is named where it is: what was stored one level below is taken as given once it has been named, so
that one changed field does not make everything above it look changed too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from partwell.evidence.heads import head_text, is_signed
from partwell.evidence.leaf import digest_of
from partwell.evidence.models import Event, SigningKey, TreeHead, TreeNode
from partwell.evidence.operations import ERASED, OWN_FIELDS
from partwell.evidence.sequencer import KEY_MADE
from partwell.evidence.tree import GrowingTree, position
from partwell.evidence.verifier import (
    KeptHead,
    Report,
    fingerprint_of,
    group,
    leaf_from_digests,
    leaf_hash,
    node_hash,
    parse_head,
)

CHUNK = 500
OVERDUE = timedelta(seconds=10)


def verify_database(*, now: datetime, head: str | None = None) -> Report:
    """Verify the record in this database, and against a head that was kept outside when one is given.

    Only what the latest head covers when this begins is verified as a tree, so writers go on meanwhile.
    Raises `ValueError` when `head` cannot be read.
    """
    kept = parse_head(head) if head is not None else None
    report = Report()
    heads = list(TreeHead.objects.select_related("key").order_by("size"))
    size = heads[-1].size if heads else 0
    _verify_keys(heads, report)
    erasures = _Erasures()
    _verify_tree(size, {each.size: each for each in heads}, kept, erasures, report)
    pending = _verify_pending(size, now, erasures, report)
    erasures.check(report)
    report.figures.update(events=size, pending=pending, heads=len(heads), fields_erased=len(erasures.seen))
    if heads:
        report.figures.update(head=head_text(heads[-1]), key=group(heads[-1].key_id))
    _say_what_is_not_shown(kept, report)
    return report


class _Erasures:
    """Erased fields seen, and those that the record says were erased; both must be the same."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self.recorded: set[tuple[str, str]] = set()
        self.keys_announced: set[str] = set()

    def take(self, event: Event) -> None:
        for name, field in _fields(event).items():
            if "value" not in field:
                self.seen.add((str(event.pk), name))
        said = {name: field["value"] for name, field in _fields(event).items() if "value" in field}
        if event.kind == ERASED:
            self.recorded |= {(str(said.get("event")), str(name)) for name in said.get("erased") or []}
        if event.kind == KEY_MADE:
            self.keys_announced.add(str(said.get("fingerprint")))

    def check(self, report: Report) -> None:
        for event_id, name in sorted(self.seen - self.recorded):
            report.add("unrecorded_erasure", event_id, "a value was taken away without a record of it", name)
        for key in SigningKey.objects.exclude(fingerprint__in=self.keys_announced):
            report.add("unannounced_key", key.fingerprint, "a key signs here that the record never announced")


def _verify_keys(heads: list[TreeHead], report: Report) -> None:
    for key in {each.key_id: each.key for each in heads}.values():
        if fingerprint_of(bytes(key.public_key)) != key.fingerprint:
            report.add("bad_key", key.fingerprint, "the public key is not the one with this fingerprint")
    for each in heads:
        if not is_signed(each):
            report.add(
                "bad_signature", f"head {each.size}", "the head is not signed by the key that it names"
            )


def _verify_tree(
    size: int, heads: dict[int, TreeHead], kept: KeptHead | None, erasures: _Erasures, report: Report
) -> None:
    tree, node_count = GrowingTree(), 0
    reached = _expect_kept(kept, size, report)
    for start in range(0, size, CHUNK):
        end = min(start + CHUNK, size)
        stored = _stored_nodes(start, end)
        for sequence, event in _events_in(start, end, report):
            leaf = stored.get(position(0, sequence))
            if event is not None:
                erasures.take(event)
                found = _verify_event(event, report)
                if leaf is not None and found != leaf:
                    report.add("changed_event", str(event.pk), "the tree holds another leaf for this event")
                leaf = leaf or found
            made = tree.append(leaf or b"\x00" * 32)
            node_count += len(made)
            _verify_nodes(made, stored, report)
            if (signed := heads.get(tree.size)) and bytes(signed.root) != tree.root:
                report.add(
                    "other_root", f"head {tree.size}", "the events do not lead to the root that was signed"
                )
            if kept and reached and tree.size == kept.size and tree.root.hex() != kept.root:
                report.add(
                    "rewritten", f"head {kept.size}", "at the size that you gave, the record has another root"
                )
    if TreeNode.objects.count() != node_count:
        _name_surplus_nodes(size, report)


def _expect_kept(kept: KeptHead | None, size: int, report: Report) -> bool:
    """Whether the record reaches the kept head; names the loss, and another key, when not."""
    if kept is None:
        return False
    if kept.fingerprint and not SigningKey.objects.filter(fingerprint=kept.fingerprint).exists():
        report.add("other_key", "keys", "no head here is signed by the key whose fingerprint you gave")
    if kept.size > size:
        lost = kept.size - size
        report.add(
            "truncated",
            f"head {kept.size}",
            f"the record ends at {size}: {lost} events are gone, or rolled back",
        )
        return False
    return True


def _stored_nodes(start: int, end: int) -> dict[int, bytes]:
    """All nodes that the leaves [start, end) complete, and their children from before."""
    wanted = set()
    for sequence in range(start, end):
        level, index = 0, sequence
        wanted.add(position(0, sequence))
        while index & 1:
            wanted |= {position(level, index - 1), position(level + 1, index >> 1)}
            level, index = level + 1, index >> 1
    found = TreeNode.objects.in_bulk(sorted(wanted))
    return {place: bytes(node.digest) for place, node in found.items()}


def _verify_nodes(made: list[tuple[int, int, bytes]], stored: dict[int, bytes], report: Report) -> None:
    """Compare the nodes that one leaf completed with the stored ones, each against its stored children."""
    for level, index, computed in made:
        here = stored.get(position(level, index))
        if here is None:
            report.add("missing_node", f"node {level}/{index}", "a node of the tree is missing")
            continue
        if level == 0:
            continue  # the leaf was compared with its event
        children = [stored.get(position(level - 1, 2 * index + side)) for side in (0, 1)]
        expected = node_hash(*[each for each in children if each]) if all(children) else computed
        if here != expected:
            report.add(
                "changed_node", f"node {level}/{index}", "a node of the tree is not the hash of its children"
            )


def _name_surplus_nodes(size: int, report: Report) -> None:
    """Name nodes that no tree of this size has. Nodes of a batch that landed meanwhile are not ours."""
    last = TreeHead.objects.order_by("-size").values_list("size", flat=True).first() or 0
    for place in TreeNode.objects.order_by("position").values_list("position", flat=True).iterator():
        level = (~place & (place + 1)).bit_length() - 1
        index = place >> (level + 1)
        if (index + 1) << level > max(size, last):
            report.add(
                "extra_node", f"node {level}/{index}", "the tree is not large enough to have this node"
            )


def _events_in(start: int, end: int, report: Report) -> Iterator[tuple[int, Event | None]]:
    """Every sequence in [start, end) with its event; a gap is named and yields None."""
    rows = Event.objects.filter(sequence__gte=start, sequence__lt=end).order_by("sequence")
    by_sequence = {key: list(events) for key, events in groupby(rows, key=lambda each: each.sequence)}
    for sequence in range(start, end):
        found = by_sequence.get(sequence, [])
        if not found:
            report.add("missing_event", f"sequence {sequence}", "the event that the tree holds here is gone")
        yield sequence, found[0] if found else None


def _verify_event(event: Event, report: Report) -> bytes:
    """Name every field of the event that is not what its leaf holds; returns the hash of the true leaf."""
    event_id, leaf = str(event.pk), bytes(event.leaf)
    digests: dict[str, str] = {}
    try:
        kept = json.loads(leaf)["fields"]
    except (ValueError, KeyError, TypeError):
        kept = {}
        report.add("changed_event", event_id, "its leaf cannot be read", "leaf")
    for name, field in _fields(event).items():
        try:
            digests[name] = digest_of(field)
        except (ValueError, TypeError, AttributeError):
            digests[name] = ""
        if name not in kept:
            report.add("changed_event", event_id, "a field that the leaf does not hold", name)
        elif digests[name] != kept[name]:
            report.add("changed_event", event_id, "the value or its salt was changed", name)
    for name in sorted(set(kept) - set(digests)):
        report.add("changed_event", event_id, "the field is gone", name)
    _verify_columns(event, report)
    expected = leaf_from_digests(event_id, digests)
    if expected != leaf:
        report.add("changed_event", event_id, "its leaf is not the one of its fields", "leaf")
    return leaf_hash(expected)


def _fields(event: Event) -> dict[str, dict[str, Any]]:
    """The stored fields, whatever somebody has made of them: a field that is none has neither value nor
    digest, and is named for it."""
    stored = event.fields if isinstance(event.fields, dict) else {}
    return {name: field if isinstance(field, dict) else {} for name, field in stored.items()}


def _verify_columns(event: Event, report: Report) -> None:
    """The columns are for finding events; they must say what the fields say."""
    said = {name: _fields(event).get(name, {}).get("value") for name in OWN_FIELDS - {"actor"}}
    columns = {"kind": event.kind, "scope": event.scope}
    for name, column in columns.items():
        if said[name] != column:
            report.add("changed_event", str(event.pk), "the column differs from what the event says", name)
    try:
        is_same_moment = datetime.fromisoformat(str(said["at"])) == event.occurred_at
    except (ValueError, TypeError):
        is_same_moment = False
    if not is_same_moment:
        report.add(
            "changed_event", str(event.pk), "the column differs from what the event says", "occurred_at"
        )


def _verify_pending(size: int, now: datetime, erasures: _Erasures, report: Report) -> int:
    """Events that the tree does not hold yet: their leaves, and whether they have waited too long."""
    last = TreeHead.objects.order_by("-size").values_list("size", flat=True).first() or 0
    for event in Event.objects.filter(sequence__gte=max(size, last)) | Event.objects.filter(sequence__lt=0):
        report.add("extra_event", str(event.pk), "it has a sequence that no signed head covers")
    count = 0
    for event in Event.objects.filter(sequence__isnull=True).order_by("occurred_at").iterator():
        count += 1
        erasures.take(event)
        _verify_event(event, report)
        if now - event.occurred_at > OVERDUE:
            report.add("unsequenced", str(event.pk), "it waits for the tree; is the worker running?")
    # An event that was sequenced while we looked may be the record of an erasure that we saw.
    for event in Event.objects.filter(sequence__gte=size, kind__in=(ERASED, KEY_MADE)):
        erasures.take(event)
    return count


def _say_what_is_not_shown(kept: KeptHead | None, report: Report) -> None:
    if kept is None:
        report.notes.append(
            "No head was given: this shows that the record is whole in itself. Give --head, as it was "
            "printed or mailed at a closing, to find a record that was cut short, rolled back or rewritten "
            "with the key."
        )
    elif kept.fingerprint is None:
        report.notes.append("The head came without the key's fingerprint: the key was not compared.")
