"""The state of an AWS account, as the model of the tests keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

CREATED = datetime(2024, 3, 1, 8, 0, tzinfo=UTC)
ACCOUNT = "111122223333"
ALLOWS = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
)
_numbers = count(1)


@dataclass
class Made:
    """A key, credential or certificate. `secret` is that of an access key."""

    kind: str
    id: str
    status: str = "Active"
    secret: str = ""
    service: str = ""
    last_used_at: datetime | None = None


@dataclass
class Member:
    """A user of the account."""

    name: str
    id: str
    path: str = "/"
    tags: dict[str, str] = field(default_factory=dict)
    has_password: bool = False
    password_last_used_at: datetime | None = None
    made: list[Made] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    inline: dict[str, str] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    boundary: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:user{self.path}{self.name}"

    def of_kind(self, kind: str) -> list[Made]:
        return [each for each in self.made if each.kind == kind]


class AwsAccount:
    """Users by name, groups by name, policies by ARN."""

    def __init__(self) -> None:
        self.users: dict[str, Member] = {}
        self.groups: set[str] = set()
        self.attached_to_groups: dict[str, set[str]] = {}
        self.roles: dict[str, str] = {}

    def add(self, name: str, *, mail: str = "", number: str = "", path: str = "/") -> Member:
        """A user with a password, an access key, an SSH key, a service credential and a certificate."""
        serial = next(_numbers)
        user = Member(name, f"AIDA{serial:016}", path)
        user.tags = {k: v for k, v in (("email", mail), ("employee_number", number)) if v}
        user.has_password = True
        user.made = [
            Made("access_key", f"AKIA{serial:016}", secret=f"secret-canary-{serial:026}"),
            Made("ssh_key", f"APKA{serial:016}"),
            Made("service_credential", f"ACCA{serial:016}", service="codecommit.amazonaws.com"),
            Made("certificate", f"CERT{serial:020}"),
        ]
        user.groups = ["developers"]
        user.attached = [policy("ReadOnly")]
        user.inline = {"own": ALLOWS}
        self.groups.add("developers")
        self.users[name] = user
        return user

    def owner_of(self, key_id: str) -> tuple[Member, Made] | None:
        """Whose an access key is."""
        for user in self.users.values():
            for each in user.of_kind("access_key"):
                if each.id == key_id:
                    return user, each
        return None


def policy(name: str) -> str:
    """The ARN of a managed policy."""
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"
