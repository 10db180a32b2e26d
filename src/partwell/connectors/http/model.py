"""The YAML of an HTTP connector, key by key. The reference page and the JSON Schema follow from this file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StrictBool, StrictInt, StringConstraints, model_validator

from partwell.connector_kit.contract import Reversibility, Verb
from partwell.connector_kit.declared import Declaration, Limits, Part, Text

Pointer = Annotated[str, StringConstraints(pattern=r"^(/([^~/]|~[01])*)*$", max_length=300)]
Status = Annotated[StrictInt, Field(ge=100, le=599)]
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=100)]


class Test(Part):
    """One thing that a JSON document shows. Exactly one of `equals`, `one_of` and `exists` is written."""

    __test__ = False  # not for pytest

    at: Pointer = Field(description="JSON Pointer (RFC 6901), as in /active; empty means the whole document.")
    equals: JsonValue = Field(default=None, description="The value has to be this, of this type.")
    one_of: list[JsonValue] = Field(default_factory=list, description="The value has to be one of these.")
    exists: StrictBool = Field(default=True, description="`true`: something is there; `false`: nothing is.")

    @model_validator(mode="after")
    def _one(self) -> Test:
        if len(self.model_fields_set & {"equals", "one_of", "exists"}) != 1:
            raise ValueError("Write exactly one of equals, one_of and exists")
        return self


class Condition(Part):
    """What an answer looks like: its status, and what its JSON shows. All of it has to hold."""

    status: list[Status] = Field(default_factory=list, description="Numbers, never text: [200, 204].")
    where: list[Test] = Field(default_factory=list, description="What the answer's JSON has to show.")
    never: StrictBool = Field(default=False, description="`true` for an answer that cannot come here.")

    @model_validator(mode="after")
    def _whole(self) -> Condition:
        if self.never == bool(self.status) or (self.never and self.where):
            raise ValueError("Write the status numbers, or else “never: true” alone")
        return self


class Request(Part):
    """One request. An answer that meets neither `success` nor `absent` is unknown, and is tried again."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(description="The HTTP method.")
    path: Annotated[str, StringConstraints(pattern=r"^/[^?#\\\s]*$", max_length=500)] = Field(
        description="Follows the system's `url`. A placeholder is a whole segment: /users/{account.id}."
    )
    query: dict[Text, str] = Field(
        default_factory=dict,
        description="Query values. A placeholder is the whole value, or is quoted: userName eq {value|json}.",
    )
    headers: dict[Token, Text] = Field(default_factory=dict, description="Constant headers of this request.")
    body: JsonValue = Field(
        default=None, description="JSON to send. Placeholders in texts, never in keys; as in `query`."
    )
    success: Condition = Field(description="What success looks like; 2xx only.")
    accepted: list[Status] = Field(
        default_factory=list, description="2xx by which the target says that the change comes later."
    )
    absent: Condition = Field(
        description="What it looks like when there is no such account or group; `never: true` if it cannot."
    )
    changes_nothing: StrictBool = Field(
        default=False, description="`true` for a POST that only searches; a dry run needs it too."
    )


class Paging(Part):
    """How one page leads to the next. Pages that repeat, or end before the total, are failures."""

    style: Literal["link", "cursor", "page", "offset"] = Field(
        description="`link`: header Link, rel=next · `cursor` · `page`: numbers · `offset`: counts items."
    )
    query: str = Field(default="", description="The query parameter of the cursor, page or offset.")
    cursor: Pointer = Field(default="", description="Where the next cursor is; none there ends the pages.")
    first: StrictInt = Field(default=1, ge=0, le=1, description="The first page's number or offset.")
    total: Pointer = Field(default="", description="Where the number of all items is.")
    max_pages: StrictInt = Field(default=100, ge=1, le=10_000, description="More than these is a failure.")

    @model_validator(mode="after")
    def _whole(self) -> Paging:
        if (self.style != "link") != bool(self.query):
            raise ValueError("Every style but link needs “query”, the name of the parameter")
        if (self.style == "cursor") != bool(self.cursor):
            raise ValueError("“cursor” says where the next cursor is, and belongs to the style cursor")
        if self.style == "offset" and not self.total:
            raise ValueError("The style offset needs “total”, where the number of all items is")
        return self


class Listing(Part):
    """A request whose answer is a list."""

    request: Request = Field(description="What to ask.")
    items: Pointer = Field(description="Where in the answer the list is; empty when it is the answer itself.")
    paging: Paging | None = Field(default=None, description="Left out when there are no pages.")


class Find(Listing):
    """How people are looked up. What comes back is compared here again; nothing is guessed."""

    by: Literal["email", "username", "employee_number"] = Field(
        description="Which fact about the person `{value}` is. One entry for each."
    )


class Texts(Part):
    """A text, or a list of them."""

    at: Pointer = Field(description="Where the text or the list is.")
    each: Pointer = Field(default="", description="Where the text is in each member of the list.")


class Active(Part):
    """Whether an account is active. A value in neither list, or none, is unknown."""

    at: Pointer = Field(description="Where it is shown.")
    active: list[JsonValue] = Field(min_length=1, description="Values that mean active.")
    inactive: list[JsonValue] = Field(min_length=1, description="Values that mean inactive.")


class Fields(Part):
    """Where an account's facts are, in the answer of `read` and each item of `find` and `list_accounts`."""

    id: Pointer = Field(description="The identifier that never changes; text or a whole number.")
    login: Pointer = Field(description="How the person signs in.")
    display_name: Pointer | None = Field(default=None, description="The person's name.")
    emails: list[Texts] = Field(default_factory=list, description="The account's addresses.")
    employee_number: Pointer | None = Field(default=None, description="The personnel number.")
    is_active: Active | None = Field(default=None, description="Without it, nothing is said about it.")
    last_used_at: Pointer | None = Field(
        default=None, description="A date and time with its offset (RFC 3339)."
    )


class Entitlements(Listing):
    """The groups or roles of one account, asked by `{account.id}`."""

    kind: Text = Field(default="group", description="What they are called: group, role, licence.")
    id: Pointer = Field(description="The identifier of each.")
    name: Pointer = Field(description="The name of each.")


class Deed(Part):
    """One verb: what to send, what a fresh reading shows when it is done, and how to put it back."""

    requests: list[Request] = Field(
        min_length=1, description="Sent in order; for remove_entitlements, for each `{entitlement.id}`."
    )
    read_back: Request | None = Field(
        default=None, description="What is read afresh afterwards; `read` unless written."
    )
    done_when: list[Test] = Field(
        default_factory=list,
        description="What the fresh reading has to show; without it a verb is never more than accepted.",
    )
    restore: list[Request] = Field(
        default_factory=list, description="What puts it back. Without it the verb cannot be undone."
    )
    undone: Reversibility | None = Field(
        default=None, description="`partial` where `restore` does not put back everything."
    )


class Auth(Part):
    """How Partwell shows who it is. Each value names one of the file's settings."""

    bearer: str = Field(default="", description="The secret setting that is sent as a bearer token.")
    username: str = Field(default="", description="With `password`: the setting with the user name (Basic).")
    password: str = Field(default="", description="With `username`: the secret setting.")
    header: Token | Literal[""] = Field(default="", description="With `secret`: the name of a header.")
    secret: str = Field(default="", description="With `header`: the secret setting that it carries.")

    @model_validator(mode="after")
    def _one(self) -> Auth:
        pairs = [bool(self.bearer), bool(self.username), bool(self.header)]
        if (
            sum(pairs) != 1
            or bool(self.username) != bool(self.password)
            or bool(self.header) != bool(self.secret)
        ):
            raise ValueError("Write bearer, or username and password, or header and secret")
        return self

    @property
    def secrets(self) -> dict[str, str]:
        """Which key names which secret setting."""
        named = {"bearer": self.bearer, "password": self.password, "secret": self.secret}
        return {key: name for key, name in named.items() if name}


class HttpDeclaration(Declaration):
    """A system with an HTTP interface that speaks JSON."""

    kind: Literal["http"] = Field(description="Always `http` here.")
    limits: Limits = Field(description="How often it may be asked.")
    auth: Auth = Field(description="How Partwell shows who it is.")
    headers: dict[Token, Text] = Field(default_factory=dict, description="Constant headers of every request.")
    account: Fields = Field(description="Where an account's facts are.")
    test: Request = Field(
        description="Asked by a test of the connection, and again before an absence is believed."
    )
    find: list[Find] = Field(min_length=1, description="How people are looked up.")
    read: Request = Field(description="One account by `{account.id}`; says what absence looks like.")
    list_accounts: Listing | None = Field(default=None, description="All accounts, to find forgotten ones.")
    entitlements: Entitlements | None = Field(
        default=None,
        description="The groups or roles of one account; without it, nothing is said about them.",
    )
    verbs: dict[Verb, Deed] = Field(
        default_factory=dict, description="What can be done. A verb that is not here is a task for a person."
    )
