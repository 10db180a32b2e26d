"""The one-time code that opens the first run.

Whoever reaches a fresh installation over the network must not become its administrator. So the console
prints a code when it starts one, and the welcome page asks for it. Only a digest is kept, in the data
folder: in the database it would travel with every backup.
"""

from __future__ import annotations

import os
import secrets
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from django.conf import settings

# Without letters and digits that look alike; 12 of these 31 make 59 bits.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
GROUPS, LENGTH = 3, 4


def _path() -> Path:
    return Path(settings.DATA_DIR) / "setup-code"


def _digest(code: str) -> str:
    return sha256("".join(code.upper().split()).replace("-", "").encode()).hexdigest()


def issue() -> str:
    """A new code such as `K7QF-3M9P-X2WD`, to be printed once; an earlier one no longer opens anything."""
    code = "-".join("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(GROUPS))
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(_digest(code))
    draft.replace(path)
    return code


def is_right(code: str) -> bool:
    """Whether this is the code that was issued last. Case, blanks and dashes do not matter."""
    try:
        kept = _path().read_text().strip()
    except FileNotFoundError:
        return False
    return compare_digest(kept, _digest(code))


def discard() -> None:
    """Make the code worthless, because the first run is over."""
    _path().unlink(missing_ok=True)
