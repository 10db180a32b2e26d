"""Certificates and SSH keys that a system keeps for somebody, as holdings. Public halves only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from partwell.connector_kit.values import Holding, HoldingKind

LONGEST_NAME = 120
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SSH_KEY = re.compile(r"(?:^|\s)(?:ssh-|ecdsa-|sk-)\S+\s+([A-Za-z0-9+/]+=*)(?:\s+(\S.*))?$")


def certificate(content: bytes, *, label: str = "") -> Holding:
    """A certificate by whom it names and how long it is valid.

    `content` is DER, or the same as base64 or PEM; one that cannot be read is shown all the same, by `label`
    or its fingerprint.
    """
    der = _der(content)
    mark = hashlib.sha256(der).hexdigest()
    details = {"sha256": mark}
    subject = ""
    try:
        read = x509.load_der_x509_certificate(der)
        subject = read.subject.rfc4514_string()
        details |= {"until": read.not_valid_after_utc.date().isoformat(), "serial": f"{read.serial_number:x}"}
    except (ValueError, UnsupportedAlgorithm):
        details["unreadable"] = "yes"
    name = f"certificate {subject or label or mark[:16]}"[:LONGEST_NAME]
    if "until" in details:
        name += f", valid until {details['until']}"
    return Holding(HoldingKind.KEY, f"certificate:{mark[:32]}", name, details=details)


def ssh_key(line: str) -> Holding:
    """An SSH key by its comment and its fingerprint, as `ssh-keygen -l` writes it. `line` is one of an
    `authorized_keys` file; text in another form is shown by a fingerprint of the text."""
    found = _SSH_KEY.search(line.strip())
    blob = _decoded(found[1].encode()) if found else None
    if found is None or blob is None:
        mark = hashlib.sha256(line.encode()).hexdigest()
        return Holding(HoldingKind.KEY, f"ssh:{mark[:32]}", f"SSH key {mark[:16]}", details={"sha256": mark})
    mark = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    comment = (found[2] or "")[: LONGEST_NAME - len(mark)]
    return Holding(
        HoldingKind.KEY,
        f"ssh:{mark}",
        " ".join(filter(None, ("SSH key", comment, mark))),
        details={"fingerprint": mark},
    )


def _der(content: bytes) -> bytes:
    pem = _PEM.search(content)
    return _decoded(b"".join((pem[1] if pem else content).split())) or content


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
