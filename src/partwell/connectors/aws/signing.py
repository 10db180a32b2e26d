"""Signing requests as AWS wants it (Signature Version 4), by AWS's own library; nothing is sent from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Key:
    """An access key. The secret is in no `repr`."""

    id: str
    secret: str = field(repr=False)


def signed(url: str, body: bytes, *, key: Key, service: str, region: str) -> Mapping[str, str]:
    """The headers of a signed POST.

    AWS takes a signature for some minutes of the real time, so the library looks at its own clock.
    """
    # Loading the library takes a third of a second, so only who signs pays for it.
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(
        method="POST",
        url=url,
        data=body,
        headers={
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "Host": urlsplit(url).netloc,
        },
    )
    SigV4Auth(Credentials(key.id, key.secret), service, region).add_auth(request)
    return {str(name).lower(): str(value) for name, value in request.headers.items()}
