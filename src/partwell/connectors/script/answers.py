"""What a command may answer. Anything else is a failure, and no key is read that is not known."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
)

from partwell.connector_kit.contract import Account, ConnectorError, Entitlement, ErrorKind, Verb

Short = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=300)]
Said = Annotated[str, StringConstraints(strict=True, max_length=2000)]


class Part(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid")


class Group(Part):
    """A group or role of an account."""

    id: Short = Field(description="What never changes of it.")
    name: Short = Field(description="What people call it.")
    kind: Short = Field(default="group", description="group, role, licence.")


class AccountAnswer(Part):
    """An account as just read."""

    id: Short = Field(description="What never changes of it.")
    login: Short = Field(description="How the person signs in.")
    name: str = Field(default="", description="The person's name.")
    active: StrictBool | None = Field(default=None, description="Left out when it cannot be told.")
    emails: list[Short] = Field(default_factory=list, description="Its addresses.")
    employee_number: str = Field(default="", description="The personnel number.")
    last_used_at: AwareDatetime | None = Field(default=None, description="With its offset.")
    groups: list[Group] = Field(default_factory=list, description="Its groups and roles.")
    done: dict[Verb, StrictBool] = Field(
        default_factory=dict, description="Which verbs are so now, by looking. Left out: cannot be told."
    )

    def account(self, matched_by: str = "") -> Account:
        """As the contract has it."""
        return Account(
            external_id=self.id,
            login=self.login,
            display_name=self.name,
            is_active=self.active,
            matched_by=matched_by,
            entitlements=tuple(Entitlement(each.kind, each.id, each.name) for each in self.groups),
            emails=tuple(dict.fromkeys(email.lower() for email in self.emails)),
            employee_number=self.employee_number,
            last_used_at=self.last_used_at,
        )


class TestAnswer(Part):
    """To `test`."""

    __test__ = False  # not for pytest

    ok: StrictBool = Field(description="Whether it can do its work.")
    says: Said = Field(description="A sentence for people.")


class AccountsAnswer(Part):
    """To `find` (all that match) and `list` (a page)."""

    accounts: list[AccountAnswer] = Field(description="Empty when there is none.")
    next: Short | None = Field(default=None, description="To `list`: sent as `after` for the next page.")


class ReadAnswer(Part):
    """To `read`: one of the two."""

    account: AccountAnswer | None = Field(default=None, description="The account, read afresh.")
    absent: StrictBool = Field(default=False, description="`true`: looked, and there is none.")


class DeedAnswer(Part):
    """To a verb and to `restore`."""

    outcome: Literal["done", "accepted", "already", "absent"] = Field(
        description="done · accepted: comes later · already: was so · absent: no such account"
    )
    says: Said = Field(default="", description="A sentence for people; becomes evidence.")


class Failure(Part):
    """What went wrong."""

    kind: Literal["retryable", "throttled", "denied", "conflict", "invalid"] = Field(
        description="What it means for the next try."
    )
    says: Said = Field(description="A sentence for people.")
    retry_at: AwareDatetime | None = Field(default=None, description="With throttled: when.")


class FailureAnswer(Part):
    """In place of any answer."""

    error: Failure = Field(description="What went wrong.")


A = TypeVar("A", bound=Part)


def read_answer(content: Any, model: type[A]) -> A:
    """The answer. Raises as the command says in `error`, and RETRYABLE for what is no answer."""
    if isinstance(content, dict) and "error" in content:
        failure = _checked(content, FailureAnswer).error
        raise ConnectorError(ErrorKind(failure.kind), failure.says, retry_at=_moment(failure))
    return _checked(content, model)


def _moment(failure: Failure) -> datetime | None:
    return failure.retry_at if failure.kind == "throttled" else None


def _checked(content: Any, model: type[A]) -> A:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # Where and what, never the value: it may be anything.
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise ConnectorError(
            ErrorKind.RETRYABLE,
            f"The command's answer is not as agreed: {place[:99]}: {first['msg'][:99]}.",
        ) from None
