"""The one sequencer: it takes committed events into the tree, so that actions never wait for the tree."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from partwell.evidence import operations
from partwell.evidence.heads import make_head
from partwell.evidence.keys import Signer, load_signer
from partwell.evidence.models import Event, SequencerLock, SigningKey, TreeHead, TreeNode
from partwell.evidence.queries import read_nodes
from partwell.evidence.tree import GrowingTree, complete_subtrees, position
from partwell.evidence.verifier import leaf_hash
from partwell.rows import insert_values, write_values

BATCH = 1000
KEY_MADE = "evidence.key_made"


def sequence_pending(*, now: datetime) -> int:
    """Take every committed event that has no sequence yet into the tree and sign a head per batch.

    Returns how many events were taken in. Each batch is one transaction: its sequences, its nodes and its
    head appear together or not at all, so a crash at any moment is harmless. There is no cursor to fall
    behind: whatever has committed without a sequence is found by the next call, in whatever order events
    committed.

    Raises `KeyUnreadable` when the signing key cannot be opened.
    """
    total = 0
    # Most calls find nothing; they must not take the lock.
    while Event.objects.filter(sequence__isnull=True).exists():
        taken = _sequence_batch(now)
        total += taken
        if taken < BATCH:
            break
    return total


@transaction.atomic
def _sequence_batch(now: datetime) -> int:
    _lock()
    signer = load_signer()
    _announce(signer, now)
    last = TreeHead.objects.order_by("-size").first()
    size = last.size if last else 0
    pending = list(
        Event.objects.filter(sequence__isnull=True)
        .order_by("occurred_at", "pk")
        .values_list("pk", "leaf")[:BATCH]
    )
    if not pending:
        return 0
    edge = [position(level, index) for level, index in complete_subtrees(0, size)]
    known = read_nodes(edge)
    tree = GrowingTree(size, [known[place] for place in edge])
    # As plain values: objects of a hundred thousand rows cost as much as all the rest.
    nodes: list[tuple[int, bytes]] = []
    sequences = []
    for pk, leaf in pending:
        sequences.append((pk, tree.size))
        grown = tree.append(leaf_hash(bytes(leaf)))
        nodes += [(position(level, index), digest) for level, index, digest in grown]
    insert_values(TreeNode, ["position", "digest"], nodes)
    write_values(Event, ["sequence"], sequences)
    make_head(tree.size, tree.root, signer=signer, at=now).save(force_insert=True)
    return len(pending)


def _lock() -> None:
    """Be the only one who grows the tree until this transaction ends."""
    if not SequencerLock.objects.select_for_update().filter(pk=1).exists():
        SequencerLock.objects.get_or_create(pk=1)
        SequencerLock.objects.select_for_update().get(pk=1)


def _announce(signer: Signer, now: datetime) -> None:
    """Put a key that signs here for the first time on record, in the very batch that it signs."""
    _, is_new = SigningKey.objects.get_or_create(
        fingerprint=signer.fingerprint,
        defaults={"public_key": signer.public_key, "first_used_at": now},
    )
    if is_new:
        operations.record(
            KEY_MADE,
            scope="installation",
            actor="Partwell (evidence)",
            at=now,
            fields={"fingerprint": signer.fingerprint},
        )
