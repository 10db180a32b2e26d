"""What a leaf commits to, and the signature check that needs no library."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from partwell.evidence.leaf import digest_of, leaf_bytes, portable, salt_fields
from partwell.evidence.verifier import field_digest, group, parse_head, verify_ed25519

# RFC 8032 § 7.1, tests 1 to 3: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5"
        "f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2e"
        "aeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15"
        "e9716ed28dc027beceea1ec40a",
    ),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
events = st.dictionaries(st.text(min_size=1, max_size=8), json_values, min_size=1, max_size=5)


@given(events, st.data())
def test_any_other_value_makes_another_leaf(fields: dict[str, Any], data: st.DataObject) -> None:
    salted = salt_fields(fields)
    name = data.draw(st.sampled_from(sorted(fields)))
    changed = copy.deepcopy(salted)
    other = data.draw(json_values.map(portable))
    if repr(other) == repr(salted[name]["value"]):
        other = [other]
    changed[name]["value"] = other
    assert leaf_bytes("event", changed) != leaf_bytes("event", salted)


@given(events, st.data())
def test_an_erased_field_leaves_the_leaf_as_it_was(fields: dict[str, Any], data: st.DataObject) -> None:
    salted = salt_fields(fields)
    before = leaf_bytes("event", salted)
    for name in data.draw(st.sets(st.sampled_from(sorted(fields)))):
        salted[name] = {"digest": digest_of(salted[name])}
    assert leaf_bytes("event", salted) == before


def test_a_byte_cannot_move_from_the_value_into_the_salt() -> None:
    salt = "00" * 16
    assert field_digest(salt, 12) != field_digest(salt, 2)
    with pytest.raises(ValueError, match="16 bytes"):
        field_digest(salt + b"1".hex(), 2)
    with pytest.raises(ValueError, match="16 bytes"):
        field_digest("AA" * 16, 2)


def test_the_same_value_twice_has_two_digests() -> None:
    salted = salt_fields({"a": "Viktor Sandell", "b": "Viktor Sandell"})
    assert digest_of(salted["a"]) != digest_of(salted["b"])


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (1e16, "1e+16"),
        (float("nan"), "nan"),
        ("a\x00b", "a\ufffdb"),
        ("\ud800", "?"),
        ({1: (2, 3)}, {"1": [2, 3]}),
        (True, True),
    ],
)
def test_values_are_kept_in_the_json_that_both_databases_give_back(given_value: Any, kept: Any) -> None:
    assert portable(given_value) == kept


def test_a_value_without_a_spelling_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="date"):
        salt_fields({"due": date(2026, 11, 27)})


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_signatures_of_rfc_8032_verify_and_no_neighbour_does(key: str, message: str, signature: str) -> None:
    public, text, signed = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert verify_ed25519(public, text, signed)
    assert not verify_ed25519(public, text + b"x", signed)
    for at in range(0, 64, 7):
        assert not verify_ed25519(public, text, signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :])
    # S + L passes a check that forgets RFC 8032 § 5.1.7's range.
    order = 2**252 + 27742317777372353535851937790883648493
    shifted = (int.from_bytes(signed[32:], "little") + order).to_bytes(32, "little")
    assert not verify_ed25519(public, text, signed[:32] + shifted)


@settings(max_examples=40)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.integers(0, 64 * 8 - 1), st.booleans())
def test_our_check_agrees_with_the_library(seed: bytes, message: bytes, bit: int, flip: bool) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    signature = bytearray(private.sign(message))
    if flip:
        signature[bit // 8] ^= 1 << bit % 8
    try:
        Ed25519PublicKey.from_public_bytes(private.public_key().public_bytes_raw()).verify(
            bytes(signature), message
        )
        library = True
    except InvalidSignature:
        library = False
    assert verify_ed25519(private.public_key().public_bytes_raw(), message, bytes(signature)) is library
    assert library is not flip


def test_a_head_is_read_as_people_copy_it() -> None:
    root, key = "ab" * 32, "cd" * 32
    assert parse_head(f" 12:{root.upper()}:\n{group(key)} ") == parse_head(f"12:{root}:{key}")
    assert parse_head(f"12:{root}").fingerprint is None


@pytest.mark.parametrize("text", ["", "12", "12:ab", "x:" + "ab" * 32, "12:" + "zz" * 32, "-1:" + "ab" * 32])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"head reads|hexadecimal"):
        parse_head(text)
