"""Evidence packs as those get them who read one: verified by what is in it, and forged."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path


def verified_alone(pack: Path) -> subprocess.CompletedProcess[str]:
    """Run the verifier that came in the pack, with nothing but Python's own library."""
    verifier = pack.with_name("verify.py")
    with zipfile.ZipFile(pack) as archive:
        verifier.write_bytes(archive.read("verify.py"))
    return subprocess.run(
        [sys.executable, "-I", "-S", str(verifier), str(pack)], capture_output=True, text=True, check=False
    )


def change_a_byte(pack: Path, inside: bytes) -> Path:
    """A copy of the pack in which one bit of the given text is turned."""
    content = bytearray(pack.read_bytes())
    content[content.index(inside) + 1] ^= 1
    forged = pack.with_name("forged.zip")
    forged.write_bytes(content)
    return forged
