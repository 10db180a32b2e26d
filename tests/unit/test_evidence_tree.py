"""The RFC 6962 tree, against the vectors that Certificate Transparency publishes, and by its rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partwell.evidence.tree import (
    EMPTY_ROOT,
    GrowingTree,
    consistency_ranges,
    hashes_of,
    inclusion_ranges,
    position,
)
from partwell.evidence.verifier import leaf_hash, verify_consistency, verify_inclusion

INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
N01 = ROOTS[1]
N03 = ROOTS[3]
L0, L1 = ROOTS[0], "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
L4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
N23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
N67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
N47 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"

INCLUSION = [
    (0, 1, []),
    (0, 8, [L1, N23, N47]),
    (5, 8, [L4, N67, N03]),
    (2, 3, [N01]),
    (1, 5, [L0, N23, L4]),
]
CONSISTENCY = [
    (1, 1, []),
    (1, 8, [L1, N23, N47]),
    (6, 8, [N45, N67, N03]),
    (2, 5, [N23, L4]),
]


def grow(leaves: list[bytes]) -> tuple[list[bytes], dict[int, bytes]]:
    """The roots after each leaf, and all stored nodes."""
    tree, roots, nodes = GrowingTree(), [EMPTY_ROOT], {}
    for leaf in leaves:
        for level, index, digest in tree.append(leaf_hash(leaf)):
            nodes[position(level, index)] = digest
        roots.append(tree.root)
    return roots, nodes


def proof(ranges: list[tuple[int, int]], nodes: dict[int, bytes]) -> list[bytes]:
    return hashes_of(ranges, lambda wanted: {place: nodes[place] for place in wanted})


def test_roots_are_the_published_ones() -> None:
    roots, _ = grow(INPUTS)
    assert [root.hex() for root in roots[1:]] == ROOTS
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_audit_paths_are_the_published_ones(index: int, size: int, path: list[str]) -> None:
    roots, nodes = grow(INPUTS)
    made = proof(inclusion_ranges(index, size), nodes)
    assert [each.hex() for each in made] == path
    assert verify_inclusion(leaf_hash(INPUTS[index]), index, size, made, roots[size])


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, new: int, path: list[str]) -> None:
    roots, nodes = grow(INPUTS)
    made = proof(consistency_ranges(old, new), nodes)
    assert [each.hex() for each in made] == path
    assert verify_consistency(old, new, roots[old], roots[new], made)


def test_every_proof_of_every_size_verifies_and_no_other_does() -> None:
    leaves = [bytes([number]) for number in range(40)]
    roots, nodes = grow(leaves)
    for size in range(1, 41):
        for index in range(size):
            made, leaf = proof(inclusion_ranges(index, size), nodes), leaf_hash(leaves[index])
            assert verify_inclusion(leaf, index, size, made, roots[size])
            assert not verify_inclusion(leaf, index, size, [*made, leaf], roots[size])
            assert not verify_inclusion(leaf_hash(b"other"), index, size, made, roots[size])
            assert size == 1 or not verify_inclusion(leaf, (index + 1) % size, size, made, roots[size])
        for old in range(1, size + 1):
            made = proof(consistency_ranges(old, size), nodes)
            assert verify_consistency(old, size, roots[old], roots[size], made)
            assert not verify_consistency(old, size, roots[old - 1], roots[size], made)
            assert old == size or not verify_consistency(old, size, roots[old], roots[size], made[:-1])


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=8), min_size=2, max_size=70), st.data())
def test_a_proof_reads_few_nodes_and_breaks_with_any_bit(leaves: list[bytes], data: st.DataObject) -> None:
    roots, nodes = grow(leaves)
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    read: list[int] = []
    made = hashes_of(
        inclusion_ranges(index, size), lambda wanted: (read.extend(wanted), {p: nodes[p] for p in wanted})[1]
    )
    assert len(read) <= 2 * size.bit_length()
    at = data.draw(st.integers(0, len(made) - 1))
    bit = data.draw(st.integers(0, 255))
    made[at] = (int.from_bytes(made[at]) ^ 1 << bit).to_bytes(32)
    assert not verify_inclusion(leaf_hash(leaves[index]), index, size, made, roots[size])


def test_a_tree_goes_on_from_its_edge_as_if_it_had_never_stopped() -> None:
    whole = GrowingTree()
    for number in range(100):
        whole.append(leaf_hash(bytes([number])))
        again = GrowingTree(whole.size, whole._edge)
        again.append(leaf_hash(b"next"))
        straight = GrowingTree()
        for earlier in range(number + 1):
            straight.append(leaf_hash(bytes([earlier])))
        straight.append(leaf_hash(b"next"))
        assert again.root == straight.root
