"""The RFC 6962 Merkle tree: growing it, and making proofs from stored nodes. Pure; no Django.

Only complete subtrees are stored, each once and for ever: the node (level, index) covers the leaves
[index·2^level, (index+1)·2^level). A root or a proof of any size is folded from O(log n) of them.
Verifying proofs is in `verifier.py`, which travels in the pack.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from partwell.evidence.verifier import node_hash

Range = tuple[int, int]
ReadNodes = Callable[[list[int]], dict[int, bytes]]
EMPTY_ROOT = hashlib.sha256(b"").digest()


def position(level: int, index: int) -> int:
    """The node's number in in-order traversal: one integer key, the same whatever the tree's size."""
    return (index << (level + 1)) + (1 << level) - 1


def complete_subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The (level, index) of the maximal complete subtrees that tile the leaves [start, end), left to right.

    `start` must be aligned as the ranges of RFC 6962 are.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def fold(hashes: Iterable[bytes]) -> bytes:
    """The root over neighbouring complete subtrees, given left to right."""
    folded: bytes | None = None
    for digest in reversed(list(hashes)):
        folded = digest if folded is None else node_hash(digest, folded)
    return EMPTY_ROOT if folded is None else folded


def inclusion_ranges(index: int, size: int, start: int = 0) -> list[Range]:
    """The leaf ranges whose roots are the audit path of leaf `index` in a tree of `size` (§ 2.1.1)."""
    if size == 1:
        return []
    left = _left_size(size)
    if index < left:
        return [*inclusion_ranges(index, left, start), (start + left, start + size)]
    return [*inclusion_ranges(index - left, size - left, start + left), (start, start + left)]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The leaf ranges whose roots prove that the tree of `old` leaves begins the one of `new` (§ 2.1.2)."""
    return _subproof(old, new, 0, True) if 0 < old < new else []


def _subproof(old: int, new: int, start: int, is_whole: bool) -> list[Range]:
    if old == new:
        return [] if is_whole else [(start, start + new)]
    left = _left_size(new)
    if old <= left:
        return [*_subproof(old, left, start, is_whole), (start + left, start + new)]
    return [*_subproof(old - left, new - left, start + left, False), (start, start + left)]


def _left_size(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def hashes_of(ranges: Iterable[Range], read: ReadNodes) -> list[bytes]:
    """The root of each range, reading all the stored nodes it takes at once.

    Raises `KeyError` when a node that a tree of this size must have is not there.
    """
    wanted = [[position(level, i) for level, i in complete_subtrees(*each)] for each in ranges]
    nodes = read(sorted({place for places in wanted for place in places}))
    return [fold(nodes[place] for place in places) for places in wanted]


class GrowingTree:
    """The right edge of a tree, to which leaves are appended; forgets everything that it does not need."""

    def __init__(self, size: int = 0, edge: Iterable[bytes] = ()) -> None:
        self.size = size
        self._edge = list(edge)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Append a leaf hash; the nodes (level, index, hash) that this completed, the leaf itself first."""
        made = [(0, self.size, leaf)]
        level, digest = 0, leaf
        while self.size >> level & 1:
            digest = node_hash(self._edge.pop(), digest)
            level += 1
            made.append((level, self.size >> level, digest))
        self._edge.append(digest)
        self.size += 1
        return made

    @property
    def root(self) -> bytes:
        """The root over all leaves appended so far."""
        return fold(self._edge)
