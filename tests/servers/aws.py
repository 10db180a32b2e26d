"""AWS's IAM and STS as moto (PyPI) emulates them, with requests authenticated and policies enforced.

What it is not: it takes an access key that was set inactive, denies everything by a denial whose condition it
does not understand, does not see which user a request is about, and has neither service-specific credentials
nor the policy simulator, for which it answers an HTML page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.running import answers, free_port, running

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "connect-aws.md"
SERVICE = "partwell"
# So many requests are let in unasked: those that make the administrator.
_UNASKED = 3
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Keys:
    """An access key."""

    id: str
    secret: str


@dataclass(frozen=True)
class AwsServer:
    """A running emulator. `admin` may do everything; `service` is Partwell's user, as the how-to makes it."""

    url: str
    admin: Keys
    service: Keys

    def iam(self, keys: Keys | None = None) -> Any:
        """A client of IAM that signs in with these keys, or as the administrator."""
        return _client("iam", self.url, keys or self.admin)

    def may(self, keys: Keys) -> bool:
        """Whether a request with these keys that needs a right is let in."""
        return _is_let_in(self.iam(keys), "list_groups")

    def is_known(self, keys: Keys) -> bool:
        """Whether the service says whose keys these are, which no policy can forbid."""
        return _is_let_in(_client("sts", self.url, keys), "get_caller_identity")

    def add_key(self, user_name: str) -> Keys:
        """A new access key."""
        return _made(self.iam().create_access_key(UserName=user_name))

    def allow_everything(self, user_name: str, policy_name: str = "everything") -> None:
        """An inline policy that allows everything."""
        self.iam().put_user_policy(
            UserName=user_name, PolicyName=policy_name, PolicyDocument=json.dumps(_EVERYTHING)
        )


def policy_of_the_how_to() -> str:
    """The policy that the how-to gives Partwell's user: its actions, on everything. The emulator does not see
    which user a request is about."""
    policy = json.loads(HOW_TO.read_text().split("```json")[1].split("```")[0])
    allowed = [each for each in policy["Statement"] if each["Effect"] == "Allow"]
    return json.dumps({**policy, "Statement": [{**each, "Resource": "*"} for each in allowed]})


@contextmanager
def aws(folder: Path) -> Iterator[AwsServer]:
    """A fresh account with an administrator and Partwell's user."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        str(Path(sys.executable).with_name("moto_server")),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    env = {"INITIAL_NO_AUTH_ACTION_COUNT": str(_UNASKED)}
    with running(command, ready=lambda: answers("127.0.0.1", port), log=folder / "moto.log", env=env):
        first = _client("iam", url, Keys("AKIANOBODYNOBODY0000", "nobody"))
        first.create_user(UserName="administrator")
        first.put_user_policy(
            UserName="administrator", PolicyName="everything", PolicyDocument=json.dumps(_EVERYTHING)
        )
        admin = _made(first.create_access_key(UserName="administrator"))
        iam = _client("iam", url, admin)
        iam.create_user(UserName=SERVICE)
        made = iam.create_policy(PolicyName="Partwell", PolicyDocument=policy_of_the_how_to())
        iam.attach_user_policy(UserName=SERVICE, PolicyArn=made["Policy"]["Arn"])
        yield AwsServer(url, admin, _made(iam.create_access_key(UserName=SERVICE)))


def _is_let_in(client: Any, call: str) -> bool:
    try:
        getattr(client, call)()
    except client.exceptions.ClientError as refusal:
        assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] == 403, refusal
        return False
    return True


def _client(service: str, url: str, keys: Keys) -> Any:
    # Loading these takes half a second, and every run of any test loads this module.
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=keys.id,
        aws_secret_access_key=keys.secret,
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=10),
    )


def _made(answer: Any) -> Keys:
    return Keys(answer["AccessKey"]["AccessKeyId"], answer["AccessKey"]["SecretAccessKey"])
