"""A certificate authority for one test run, and server certificates that it signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificates(folder: Path, *, names: list[str], addresses: list[str]) -> tuple[Path, Path, Path]:
    """Write `ca.pem`, `server.pem`, `server.key`; return their paths."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Partwell test authority", authority_key, None, authority_key, [])
    subject: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    subject += [x509.IPAddress(ip_address(address)) for address in addresses]
    server = _certificate(names[0], server_key, authority, authority_key, subject)
    paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    for path, content in zip(
        paths,
        (
            authority.public_bytes(serialization.Encoding.PEM),
            server.public_bytes(serialization.Encoding.PEM),
            server_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        ),
        strict=True,
    ):
        path.write_bytes(content)
    return paths


def _certificate(name, key, issuer, issuer_key, subject_names) -> x509.Certificate:
    now = datetime.now(UTC)
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer.subject if issuer else own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if subject_names:
        builder = builder.add_extension(x509.SubjectAlternativeName(subject_names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def certificate_of(name: str) -> x509.Certificate:
    """A certificate that a person or a device named `name` signed for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _certificate(name, key, None, key, [])
