"""The two inline policies by which Partwell keeps a user out, and what AWS's simulator says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.aws.answers import document, rows
from partwell.connectors.aws.service import Service

DENY_ALL = "PartwellDenyAll"
END_SESSIONS = "PartwellEndSessions"
OURS = frozenset({DENY_ALL, END_SESSIONS})
_TRIED = ("iam:ListUsers", "s3:ListAllMyBuckets", "ec2:DescribeInstances", "sts:AssumeRole")
_DENIED: dict[str, Any] = {"Sid": "Partwell", "Effect": "Deny", "Action": "*", "Resource": "*"}


def deny_all() -> str:
    """A policy that denies everything. A denial in one policy outweighs whatever others allow."""
    return _written(_DENIED)


def is_deny_all(policy: str) -> bool:
    """Whether this is that policy, unchanged."""
    return _statement(policy) == _DENIED


def end_sessions(before: datetime) -> str:
    """A policy that denies everything to sessions opened before this moment."""
    moment = before.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _written({**_DENIED, "Condition": {"DateLessThan": {"aws:TokenIssueTime": moment}}})


def sessions_ended_before(policy: str) -> datetime | None:
    """The moment that such a policy names; None for any other policy."""
    statement = _statement(policy)
    if not isinstance(statement, dict):
        return None
    try:
        moment = datetime.fromisoformat(str(statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"]))
    except (KeyError, TypeError, ValueError):
        return None
    is_ours = moment.tzinfo is not None and policy_equals(policy, end_sessions(moment))
    return moment if is_ours else None


def policy_equals(one: str, other: str) -> bool:
    """Whether two policies say the same, however they are written down."""
    return _loaded(one) is not None and _loaded(one) == _loaded(other)


def rounded_up(moment: datetime) -> datetime:
    """The next full second: AWS compares in seconds, and what was opened within this one has to go too."""
    return moment.replace(microsecond=0) + timedelta(seconds=1)


@dataclass(frozen=True)
class Simulated:
    """What AWS's simulator says: refused or not, or None with the reason why it was not asked."""

    refused: bool | None
    said: str


class Policies:
    """Inline policies of users of one account."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def get(self, user_name: str, policy_name: str) -> str:
        """An inline policy as JSON; empty when the user has none of that name."""
        try:
            result = await self._service.ask("GetUserPolicy", UserName=user_name, PolicyName=policy_name)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return ""
            raise
        return document(result)

    async def put(self, user_name: str, policy_name: str, policy: str) -> str:
        """Write an inline policy, in place of one of that name; AWS's id for the request."""
        told = await self._service.tell(
            "PutUserPolicy", UserName=user_name, PolicyName=policy_name, PolicyDocument=policy
        )
        return told.request_id

    async def remove(self, user_name: str, policy_name: str) -> str:
        """Take an inline policy away. Raises NOT_FOUND when there is none."""
        told = await self._service.tell("DeleteUserPolicy", UserName=user_name, PolicyName=policy_name)
        return told.request_id

    async def is_denied(self, user_name: str) -> bool:
        """Whether Partwell's policy denies this user everything."""
        return is_deny_all(await self.get(user_name, DENY_ALL))

    async def ended_before(self, user_name: str) -> datetime | None:
        """Before which moment a session has to have been opened to be refused."""
        return sessions_ended_before(await self.get(user_name, END_SESSIONS))

    async def simulate(self, arn: str, *, opened_at: datetime | None = None) -> Simulated:
        """Ask AWS what it would answer this user, or a session of theirs that was opened at that moment."""
        context = [] if opened_at is None else [_issued(opened_at)]
        try:
            result = await self._service.ask(
                "SimulatePrincipalPolicy",
                PolicySourceArn=arn,
                ActionNames=list(_TRIED),
                **({"ContextEntries": context} if context else {}),
            )
            found = {
                str(e.get("EvalActionName")): e.get("EvalDecision") for e in rows(result, "EvaluationResults")
            }
        except ConnectorError as error:
            return Simulated(None, f"AWS's simulator could not be asked: {error.message}")
        open_ones = [action for action in _TRIED if found.get(action) != "explicitDeny"]
        if open_ones:
            return Simulated(False, f"AWS's simulator does not refuse {', '.join(open_ones)} explicitly.")
        return Simulated(True, f"AWS's simulator refuses explicitly: {', '.join(_TRIED)}.")


def _issued(moment: datetime) -> dict[str, Any]:
    return {
        "ContextKeyName": "aws:TokenIssueTime",
        "ContextKeyType": "date",
        "ContextKeyValues": [moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")],
    }


def _written(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def _loaded(policy: str) -> Any:
    try:
        return json.loads(policy)
    except (ValueError, RecursionError):
        return None


def _statement(policy: str) -> Any:
    content = _loaded(policy)
    statements = content.get("Statement") if isinstance(content, dict) else None
    return statements[0] if isinstance(statements, list) and len(statements) == 1 else None
