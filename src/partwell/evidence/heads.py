"""Signed tree heads: what is signed, and how a head is written down for people to keep."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from partwell.evidence.keys import Signer
from partwell.evidence.models import TreeHead
from partwell.evidence.verifier import head_message


def signed_message(head: TreeHead) -> bytes:
    """The bytes that a head's signature is over."""
    return head_message(head.size, bytes(head.root).hex(), head.signed_at.isoformat(), head.key_id)


def make_head(size: int, root: bytes, *, signer: Signer, at: datetime) -> TreeHead:
    """A signed head, not saved yet. Its key's row must be there before it is."""
    head = TreeHead(size=size, root=root, signed_at=at.astimezone(UTC), key_id=signer.fingerprint)
    head.signature = signer.sign(signed_message(head))
    return head


def is_signed(head: TreeHead) -> bool:
    """Whether the head carries a good signature of the key that it names."""
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes(head.key.public_key))
        public.verify(bytes(head.signature), signed_message(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def head_text(head: TreeHead) -> str:
    """`size:root:fingerprint`: what `--head` takes, and what to keep outside the installation."""
    return f"{head.size}:{bytes(head.root).hex()}:{head.key_id}"


def head_as_dict(head: TreeHead) -> dict[str, Any]:
    """The head as a pack carries it."""
    return {
        "v": 1,
        "size": head.size,
        "root": bytes(head.root).hex(),
        "signed_at": head.signed_at.isoformat(),
        "key": head.key_id,
        "public_key": bytes(head.key.public_key).hex(),
        "signature": bytes(head.signature).hex(),
    }
