"""What lies sealed at rest: the installation's secret key opens it, and nothing else does.

The secret key can be changed: what was sealed under one from before (`SECRET_KEY_FALLBACKS`) still opens, and
`renewed` seals it under the present one, after which the old key is needed no more.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import QuerySet


class SealBroken(Exception):
    """The text was sealed under another installation's key, or is not what was sealed."""


@dataclass(frozen=True)
class Seal:
    """Seals texts for one `purpose`; what was sealed for another one does not open."""

    purpose: str

    def seal(self, text: str) -> str:
        """What may lie in the database."""
        return _cipher(settings.SECRET_KEY, self.purpose).encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The text again. Raises `SealBroken` where no key of this installation opens it."""
        try:
            return self._ciphers().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SealBroken from error

    def is_current(self, sealed: str) -> bool:
        """Whether it opens under the present key, and needs none from before."""
        try:
            _cipher(settings.SECRET_KEY, self.purpose).decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def renewed(self, sealed: str) -> str:
        """The same text, sealed under the present key. Raises `SealBroken` as `unseal` does."""
        try:
            return self._ciphers().rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise SealBroken from error

    def _ciphers(self) -> MultiFernet:
        keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
        return MultiFernet([_cipher(key, self.purpose) for key in keys])


@lru_cache(maxsize=32)
def _cipher(secret: str, purpose: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))


@dataclass(frozen=True)
class Renewal:
    """What came of sealing one kind of thing anew; `unreadable` ones were sealed under a key that is not
    among those from before."""

    what: str
    renewed: int = 0
    unreadable: int = 0


def renew_column(rows: QuerySet, name: str, seal: Seal, *, what: str) -> Renewal:
    """Seal anew what stands in this column of these rows under an old key, row by row.

    Others may write meanwhile: a row is written only where it still says what was read.
    """
    renewed = unreadable = 0
    for key in list(rows.exclude(**{name: ""}).values_list("pk", flat=True)):
        row = rows.filter(pk=key)
        sealed = row.values_list(name, flat=True).first()
        if not sealed or seal.is_current(sealed):
            continue
        try:
            fresh = seal.renewed(sealed)
        except SealBroken:
            unreadable += 1
            continue
        renewed += row.filter(**{name: sealed}).update(**{name: fresh})
    return Renewal(what, renewed, unreadable)
