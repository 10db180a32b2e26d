"""What the tests of this connector share: a connection, and a fresh person for each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Account, Connection, ConnectorError, ErrorKind, Identity
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.aws.connector import CONNECTOR, AwsConnector
from tests.servers.aws import AwsServer, Keys

LOOPBACK = AllowList.parse(["127.0.0.1"])
ALLOWS_LISTING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iam:ListGroups", "Resource": "*"}],
    }
)
_numbers = count(1)


def connect(
    server: AwsServer, *, transport: Transport | None = None, keys: Keys | None = None, **settings: Any
) -> AwsConnector:
    """The connector, as the how-to connects it; the emulator has no service-specific credentials."""
    signed_in = keys or server.service
    return CONNECTOR(
        Connection(
            name="cloud",
            settings={
                "access_key": "env:AWS_ID",
                "secret_key": "env:AWS_SECRET",
                "endpoint": server.url,
                "sts_endpoint": server.url,
                "allow_plain": True,
                "service_credentials": False,
                "settles_within_seconds": 0,
                "key_spreads_within_seconds": 0,
                **settings,
            },
            secrets=ReferencedSecrets({"AWS_ID": signed_in.id, "AWS_SECRET": signed_in.secret}),
            transport=transport or Transport(LOOPBACK),
            now=lambda: datetime.now(UTC),
        )
    )


class Person:
    """A fresh user with password, access key, group, managed and inline policy. The key may list groups."""

    def __init__(self, server: AwsServer) -> None:
        self.server = server
        self.name = f"person{next(_numbers)}"
        self.mail, self.number = f"{self.name}@firm.test", f"E-{self.name}"
        iam = server.iam()
        made = iam.create_user(
            UserName=self.name,
            Tags=[
                {"Key": "email", "Value": self.mail},
                {"Key": "employee_number", "Value": self.number},
            ],
        )
        self.id, self.arn = made["User"]["UserId"], made["User"]["Arn"]
        iam.create_login_profile(UserName=self.name, Password="Correct-horse-1")
        self.keys = server.add_key(self.name)
        self.group, self.inline = f"{self.name}-group", f"{self.name}-inline"
        iam.create_group(GroupName=self.group)
        iam.add_user_to_group(GroupName=self.group, UserName=self.name)
        policy = iam.create_policy(PolicyName=f"{self.name}-policy", PolicyDocument=ALLOWS_LISTING)
        self.policy = policy["Policy"]["Arn"]
        iam.attach_user_policy(UserName=self.name, PolicyArn=self.policy)
        iam.put_user_policy(UserName=self.name, PolicyName=self.inline, PolicyDocument=ALLOWS_LISTING)
        self.identity = Identity(emails=(self.mail,))

    async def account(self, connector: AwsConnector) -> Account:
        """The one account that discovery finds."""
        (account,) = await connector.discover(self.identity)
        return account

    def status(self, keys: Keys) -> str:
        """The status of an access key, read by the administrator."""
        listed = self.server.iam().list_access_keys(UserName=self.name)["AccessKeyMetadata"]
        return next(each["Status"] for each in listed if each["AccessKeyId"] == keys.id)


@contextmanager
def refused(kind: ErrorKind) -> Iterator[pytest.ExceptionInfo[ConnectorError]]:
    """What is done within is refused, and for this kind of reason."""
    with pytest.raises(ConnectorError) as refusal:
        yield refusal
    assert refusal.value.kind is kind, refusal.value
