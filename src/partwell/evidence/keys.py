"""The installation's signing key: Ed25519, made on first use, kept encrypted in the data folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from partwell.evidence.verifier import fingerprint_of, group
from partwell.sealing import Renewal

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

    Raises `KeyUnreadable` when neither PARTWELL_SECRET_KEY nor one from before is what the key was sealed
    with. No new key is made then: a head signed by an unexpected key must never pass for a routine one.
    """
    return _load(_path(), (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def renew_seal() -> Renewal:
    """Seal the signing key under the present secret key. The key itself, and what it signed, stay."""
    path, what = _path(), "the key that evidence is signed with"
    if not path.exists() or _opened(path, (settings.SECRET_KEY,)) is not None:
        return Renewal(what)
    raw = _opened(path, settings.SECRET_KEY_FALLBACKS)
    if raw is None:
        return Renewal(what, unreadable=1)
    draft = _sealed_draft(path, raw, settings.SECRET_KEY)
    draft.replace(path)
    return Renewal(what, renewed=1)


def _path() -> Path:
    return Path(settings.DATA_DIR) / "keys" / KEY_FILE


@lru_cache(maxsize=4)
def _load(path: Path, keys: tuple[str, ...]) -> Signer:
    if not path.exists():
        _make(path, keys[0])
    raw = _opened(path, keys)
    if raw is None:
        raise KeyUnreadable(
            f"{path} was sealed with another PARTWELL_SECRET_KEY. Set the one it was made with, or name it "
            "in PARTWELL_SECRET_KEY_FALLBACKS, or restore both from the same backup."
        )
    return Signer(Ed25519PrivateKey.from_private_bytes(raw))


def _opened(path: Path, keys: Iterable[str]) -> bytes | None:
    """The private key, by the first of these secret keys that opens it."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    salt, nonce, sealed = (base64.b64decode(kept[name]) for name in ("salt", "nonce", "sealed"))
    for key in keys:
        try:
            return _cipher(key, salt).decrypt(nonce, sealed, _PURPOSE)
        except InvalidTag:
            continue
    return None


def _sealed_draft(path: Path, raw: bytes, secret: str) -> Path:
    """The key, sealed, in a file of its own beside `path`, safely on the disk."""
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = _cipher(secret, salt).encrypt(nonce, raw, _PURPOSE)
    parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
    text = json.dumps({"v": 1, **{name: base64.b64encode(part).decode() for name, part in parts.items()}})
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _make(path: Path, secret: str) -> None:
    """Write a new sealed key, all of it or nothing; if another process was first, leave theirs."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = _sealed_draft(path, Ed25519PrivateKey.generate().private_bytes_raw(), secret)
    try:
        # A hard link appears whole and never replaces what is there.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _cipher(secret: str, salt: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), 32, salt, _PURPOSE).derive(secret.encode()))
