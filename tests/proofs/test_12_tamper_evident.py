"""Row 12: whoever changes the record in the database is found out, and what they changed is named.

Edits, deletions, insertions and swaps are found from the database alone. Cutting the end off, rolling back
and rewriting everything with the stolen key leave a record that is whole in itself; a head kept outside
finds those.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from partwell.evidence.heads import head_text, make_head
from partwell.evidence.keys import load_signer
from partwell.evidence.leaf import leaf_bytes, salt_fields
from partwell.evidence.models import Event, TreeHead, TreeNode
from partwell.evidence.operations import build
from partwell.evidence.sequencer import KEY_MADE, sequence_pending
from partwell.evidence.tree import GrowingTree, position
from partwell.evidence.verification import verify_database
from partwell.evidence.verifier import Report, leaf_hash
from tests.evidence_record import NOW, record_one

pytestmark = pytest.mark.django_db(transaction=True)
EVENTS, BATCH, SHORT, LONG = 24, 6, 25, 1000


class Undo(Exception):
    """Ends the transaction in which the record was tampered with, so that the next attempt starts whole."""


@pytest.fixture
def record() -> None:
    """24 events of people and the key's announcement, under several heads."""
    for number in range(EVENTS):
        record_one(number)
        if number % BATCH == BATCH - 1:
            sequence_pending(now=NOW)
    assert verify_database(now=NOW).is_whole


def named(report: Report) -> set[str]:
    return {problem.where for problem in report.problems}


def edit(dice: random.Random) -> set[str]:
    """Change a value, a salt, a column or the leaf of one event; cleverly, sometimes, with a fitting leaf."""
    event = dice.choice(list(Event.objects.all()))
    name = dice.choice(sorted(event.fields))
    how = dice.choice(["value", "salt", "leaf", "refit", "kind", "scope", "time", "drop", "add"])
    if how in ("value", "refit"):
        event.fields[name]["value"] = f"forged {dice.random()}"
    elif how == "salt":
        event.fields[name]["salt"] = dice.randbytes(16).hex()
    elif how == "leaf":
        at = dice.randrange(len(event.leaf))
        leaf = bytearray(event.leaf)
        leaf[at] ^= 1 << dice.randrange(8)
        event.leaf = bytes(leaf)
    elif how == "kind":
        event.kind += "x"
    elif how == "scope":
        event.scope += "x"
    elif how == "time":
        event.occurred_at -= timedelta(days=1)
    elif how == "drop":
        del event.fields[name]
    else:
        event.fields |= salt_fields({"forged": True})
    if how == "refit":
        event.leaf = leaf_bytes(str(event.pk), event.fields)
    event.save()
    return {str(event.pk)}


def delete(dice: random.Random) -> set[str]:
    """Take one event away; half of the time close the gap behind it."""
    event = dice.choice(list(Event.objects.all()))
    gap = event.sequence
    event.delete()
    if dice.random() < 0.5 or gap is None:
        return {f"sequence {gap}"}
    for later in Event.objects.filter(sequence__gt=gap).order_by("sequence"):
        assert later.sequence is not None
        Event.objects.filter(pk=later.pk).update(sequence=later.sequence - 1)
    return {f"sequence {EVENTS}"}


def insert(dice: random.Random) -> set[str]:
    """Push an event into the past, making room for it, or set it behind the end with a sequence."""
    at = dice.randrange(EVENTS + 2)
    for later in Event.objects.filter(sequence__gte=at).order_by("-sequence"):
        assert later.sequence is not None
        Event.objects.filter(pk=later.pk).update(sequence=later.sequence + 1)
    forged = build("person.changed", scope="register", actor="Nobody", at=NOW, fields={"n": dice.random()})
    forged.sequence = at
    forged.save(force_insert=True)
    return {str(forged.pk)}


def swap(dice: random.Random) -> set[str]:
    """Let two events change places."""
    first, second = dice.sample(list(Event.objects.all()), 2)
    one, other = first.sequence, second.sequence
    Event.objects.filter(pk=first.pk).update(sequence=None)
    Event.objects.filter(pk=second.pk).update(sequence=one)
    Event.objects.filter(pk=first.pk).update(sequence=other)
    return {str(first.pk), str(second.pk)}


def damage_tree(dice: random.Random) -> set[str]:
    """Change or take away one node, or change one head."""
    what = dice.choice(["node", "gone", "root", "signature"])
    if what in ("root", "signature"):
        head = dice.choice(list(TreeHead.objects.all()))
        setattr(head, what, dice.randbytes(32 if what == "root" else 64))
        head.save()
        return {f"head {head.size}"}
    node = dice.choice(list(TreeNode.objects.all()))
    level = (~node.position & (node.position + 1)).bit_length() - 1
    index = node.position >> (level + 1)
    if what == "gone":
        node.delete()
        return {f"node {level}/{index}"}
    node.digest = dice.randbytes(32)
    node.save()
    if level:
        return {f"node {level}/{index}"}
    return {str(Event.objects.get(sequence=index).pk)}


@pytest.mark.parametrize("tamper", [edit, delete, insert, swap, damage_tree], ids=lambda each: each.__name__)
def test_a_changed_record_is_found_and_the_change_is_named(
    record: None, long: bool, tamper: Callable[[random.Random], set[str]], figure: Callable[[str], None]
) -> None:
    attempts, found = LONG if long else SHORT, 0
    for seed in range(attempts):
        with pytest.raises(Undo), transaction.atomic():
            changed = tamper(random.Random(seed))
            report = verify_database(now=NOW)
            assert changed <= named(report), f"{tamper.__name__} with seed {seed}: {report.as_text()}"
            found += 1
            raise Undo
    assert verify_database(now=NOW).is_whole
    figure(f"proof 12, {tamper.__name__}: {found} of {attempts} found and named")


def truncate(dice: random.Random) -> None:
    """Cut the end off and sign the rest with the installation's own key.

    Not before the key was announced: a key that signs without it is found in the database alone.
    """
    announced = Event.objects.get(kind=KEY_MADE).sequence
    assert announced is not None
    rebuild(keep=dice.randrange(announced + 1, EVENTS), forge=None)


def roll_back(dice: random.Random) -> None:
    """Return to an earlier head, as from an old backup."""
    head = dice.choice(list(TreeHead.objects.order_by("-size")[1:]))
    Event.objects.filter(sequence__gte=head.size).delete()
    TreeHead.objects.filter(size__gt=head.size).delete()
    for node in TreeNode.objects.all():
        level = (~node.position & (node.position + 1)).bit_length() - 1
        if ((node.position >> (level + 1)) + 1) << level > head.size:
            node.delete()


def rewrite_all(dice: random.Random) -> None:
    """Change one event and rebuild everything above it with the installation's own key."""
    people = list(Event.objects.filter(kind="person.changed"))
    rebuild(keep=EVENTS + 1, forge=dice.choice(people).pk)


def rebuild(*, keep: int, forge: Any) -> None:
    """Make a perfect forgery: new leaves, nodes, root and signature."""
    Event.objects.filter(sequence__gte=keep).delete()
    TreeNode.objects.all().delete()
    TreeHead.objects.all().delete()
    tree = GrowingTree()
    for event in Event.objects.order_by("sequence"):
        if event.pk == forge:
            event.fields["name"]["value"] = "Somebody Else"
            event.leaf = leaf_bytes(str(event.pk), event.fields)
            event.save()
        for level, index, digest in tree.append(leaf_hash(bytes(event.leaf))):
            TreeNode.objects.create(position=position(level, index), digest=digest)
    make_head(tree.size, tree.root, signer=load_signer(), at=NOW).save(force_insert=True)


@pytest.mark.parametrize("tamper", [truncate, roll_back, rewrite_all], ids=lambda each: each.__name__)
def test_a_perfect_forgery_is_found_by_a_head_that_was_kept_outside(
    record: None, long: bool, tamper: Callable[[random.Random], None], figure: Callable[[str], None]
) -> None:
    attempts, found = LONG if long else SHORT, 0
    kept = TreeHead.objects.order_by("-size").first()
    assert kept is not None
    outside = head_text(kept)
    for seed in range(attempts):
        with pytest.raises(Undo), transaction.atomic():
            tamper(random.Random(seed))
            assert verify_database(now=NOW).is_whole, "the forgery is not perfect, so it tests too little"
            found += not verify_database(now=NOW, head=outside).is_whole
            raise Undo
    assert found == attempts
    assert verify_database(now=NOW, head=outside).is_whole
    figure(f"proof 12, {tamper.__name__}: {found} of {attempts} found against the head kept outside")


def test_an_older_head_kept_outside_finds_a_rewritten_beginning(record: None) -> None:
    oldest = TreeHead.objects.order_by("size").first()
    assert oldest is not None
    outside = head_text(oldest)
    victim = Event.objects.get(sequence=3)
    with transaction.atomic():
        rebuild(keep=EVENTS + 1, forge=victim.pk)
    assert [p.code for p in verify_database(now=NOW, head=outside).problems] == ["rewritten"]
