"""The installation's signing key: Ed25519, made on first use, kept encrypted in the data folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from partwell.evidence.verifier import fingerprint_of, group

__all__ = ["KeyUnreadable", "Signer", "fingerprint_of", "group", "load_signer"]

KEY_FILE = "evidence-ed25519.json"
_PURPOSE = b"partwell evidence signing key v1"


class KeyUnreadable(Exception):
    """The key file is there, but the configured secret key does not open it."""


class Signer:
    """Signs with the installation's key; shows only the public half."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key = private.public_key().public_bytes_raw()
        self.fingerprint = fingerprint_of(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"<Signer {self.fingerprint[:16]}…>"


def load_signer() -> Signer:
    """The installation's signer, its key made when there is none yet.

    Raises `KeyUnreadable` when PARTWELL_SECRET_KEY is not the one that the key was sealed with. No new key
    is made then: a head signed by an unexpected key must never pass for a routine one.
    """
    return _load(Path(settings.DATA_DIR) / "keys" / KEY_FILE, settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _load(path: Path, secret: str) -> Signer:
    if not path.exists():
        _make(path, secret)
    kept = json.loads(path.read_text(encoding="utf-8"))
    salt, nonce, sealed = (base64.b64decode(kept[name]) for name in ("salt", "nonce", "sealed"))
    try:
        raw = _cipher(secret, salt).decrypt(nonce, sealed, _PURPOSE)
    except InvalidTag:
        raise KeyUnreadable(
            f"{path} was sealed with another PARTWELL_SECRET_KEY. Set the one it was made with, or restore "
            "both from the same backup."
        ) from None
    return Signer(Ed25519PrivateKey.from_private_bytes(raw))


def _make(path: Path, secret: str) -> None:
    """Write a new sealed key, all of it or nothing; if another process was first, leave theirs."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    raw = Ed25519PrivateKey.generate().private_bytes_raw()
    sealed = _cipher(secret, salt).encrypt(nonce, raw, _PURPOSE)
    parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
    text = json.dumps({"v": 1, **{name: base64.b64encode(part).decode() for name, part in parts.items()}})
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A hard link appears whole and never replaces what is there.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _cipher(secret: str, salt: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), 32, salt, _PURPOSE).derive(secret.encode()))
