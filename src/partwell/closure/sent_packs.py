"""Verifying a pack that somebody sends, without keeping it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files import File

from partwell.evidence.verifier import Report, verify_pack
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.refusals import Invalid

LARGEST_PACK = 256 * 1024 * 1024


def verify_sent_pack(*, pack: File[bytes], head: str | None, actor: Actor, field: str = "pack") -> Report:
    """Whether a pack that was sent is whole, and with a head that was kept, that nothing was cut off.

    Raises `NotAllowed` for those who may not verify here, `Invalid` for a head that cannot be read and for a
    pack that is too large; `field` is the name under which it was sent.
    """
    check_office(actor, "evidence.verify")
    if pack.size > LARGEST_PACK:
        raise Invalid(
            "too_large",
            f"The file has more than {LARGEST_PACK // 1024 // 1024} MB. Verify it on your own machine: "
            "partwell evidence verify PACK.",
            field=field,
        )
    with _on_disk(pack) as path:
        try:
            return verify_pack(path, (head or "").strip() or None)
        except ValueError as error:
            raise Invalid(
                "bad_head", f"{error}. Copy it as it was printed at closing.", field="head"
            ) from None


@contextmanager
def _on_disk(pack: File[bytes]) -> Iterator[str]:
    """The pack as a file that the verifier can open, gone afterwards."""
    number, path = tempfile.mkstemp(suffix=".zip")
    try:
        with os.fdopen(number, "wb") as file:
            for chunk in pack.chunks():
                file.write(chunk)
        yield path
    finally:
        os.unlink(path)  # noqa: PTH108 - mkstemp gives a plain path
