"""Ask a domain controller about an account as a sign-in would, without knowing or guessing a password.

A bind with a wrong password answers `52e` for a live and a disabled account alike, so it proves nothing.
The first message of a Kerberos sign-in (AS-REQ, RFC 4120) carries no password at all, counts as no failed
attempt, and Windows answers "revoked" for a disabled account. "Pre-authentication required" proves nothing:
Samba says so for live and disabled accounts alike, and looks at the flag only after the password.
"""

from __future__ import annotations

from enum import Enum

KERBEROS_PORT = 88

_APPLICATION_AS_REQ, _APPLICATION_AS_REP, _APPLICATION_ERROR = 0x6A, 0x6B, 0x7E
_INTEGER, _BIT_STRING, _GENERAL_STRING, _TIME, _SEQUENCE = 0x02, 0x03, 0x1B, 0x18, 0x30
_PRINCIPAL, _SERVICE = 1, 2
_AES256, _AES128, _RC4 = 18, 17, 23
_ERROR_CODE_TAG = 0xA6


class SignIn(Enum):
    """What the domain controller says to the first message of a sign-in."""

    REFUSED = "refused"  # KDC_ERR_CLIENT_REVOKED: disabled, expired or locked
    KEY_ASKED = "key_asked"  # it asks for the password first; live or not, it does not say
    GRANTED = "granted"  # it let the account in without a password
    NO_SUCH_ACCOUNT = "no_such_account"
    UNKNOWN = "unknown"


_MEANING = {
    6: SignIn.NO_SUCH_ACCOUNT,  # KDC_ERR_C_PRINCIPAL_UNKNOWN
    18: SignIn.REFUSED,  # KDC_ERR_CLIENT_REVOKED
    25: SignIn.KEY_ASKED,  # KDC_ERR_PREAUTH_REQUIRED
}


def first_message(login: str, realm: str, nonce: int) -> bytes:
    """An AS-REQ for `login` (a sAMAccountName) in `realm`, without pre-authentication."""
    service = _sequence(
        _tagged(0, _integer(_SERVICE)),
        _tagged(1, _sequence(_text("krbtgt"), _text(realm))),
    )
    body = _sequence(
        _tagged(0, _tlv(_BIT_STRING, b"\x00\x00\x00\x00\x00")),
        _tagged(1, _sequence(_tagged(0, _integer(_PRINCIPAL)), _tagged(1, _sequence(_text(login))))),
        _tagged(2, _text(realm)),
        _tagged(3, service),
        _tagged(5, _tlv(_TIME, b"20370913024805Z")),  # the field's usual "as long as you give"
        _tagged(7, _integer(nonce)),
        _tagged(8, _sequence(_integer(_AES256), _integer(_AES128), _integer(_RC4))),
    )
    request = _sequence(_tagged(1, _integer(5)), _tagged(2, _integer(10)), _tagged(4, body))
    return _tlv(_APPLICATION_AS_REQ, request)


def read_answer(answer: bytes) -> SignIn:
    """What an answer to `first_message` means; `UNKNOWN` for anything that cannot be read."""
    try:
        tag, content, _ = _next(answer)
        if tag == _APPLICATION_AS_REP:
            return SignIn.GRANTED
        if tag != _APPLICATION_ERROR:
            return SignIn.UNKNOWN
        _, fields, _ = _next(content)
        while fields:
            tag, value, fields = _next(fields)
            if tag == _ERROR_CODE_TAG:
                return _MEANING.get(int.from_bytes(_next(value)[1], "big", signed=True), SignIn.UNKNOWN)
    except (IndexError, ValueError):
        pass
    return SignIn.UNKNOWN


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _tagged(number: int, content: bytes) -> bytes:
    return _tlv(0xA0 | number, content)


def _sequence(*parts: bytes) -> bytes:
    return _tlv(_SEQUENCE, b"".join(parts))


def _text(value: str) -> bytes:
    return _tlv(_GENERAL_STRING, value.encode())


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _next(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows. Raises `IndexError` or `ValueError` on bytes that are not DER."""
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        count = size & 0x7F
        if not 0 < count <= 4:
            raise ValueError("length")
        size, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if len(data) < start + size:
        raise ValueError("cut short")
    return tag, data[start : start + size], data[start + size :]
