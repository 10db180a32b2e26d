"""What would go wrong with a declaration later, although its shape is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from partwell.connector_kit.contract import Verb
from partwell.connector_kit.declared import Finding
from partwell.connectors.http.model import Condition, Deed, HttpDeclaration, Listing, Request
from partwell.connectors.http.placeholders import mistakes_in_path, mistakes_in_text
from partwell.yaml_text import Path as Place

ACCOUNT = frozenset({"account.id", "account.login"})
ENTITLEMENT = ACCOUNT | {"entitlement.id", "entitlement.name"}
BUILT_IN = frozenset(
    {
        "url",
        "ca_file",
        "allow_plain",
        "protected",
        "admin_groups",
        "settles_within_seconds",
        "timeout_seconds",
    }
)
# Statuses that may say by themselves that something is not there, and those that may with words beside them.
GONE = frozenset({404, 410})
GONE_IN_WORDS = frozenset({200, 400, 422})
KEPT_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
        "accept-encoding",
    }
)


def findings(declared: HttpDeclaration, folder: Path) -> Iterator[Finding]:
    """Each mistake with its place."""
    common = frozenset(f"settings.{name}" for name, rule in declared.settings.items() if not rule.secret)
    yield from _settings(declared)
    yield from _headers(declared.headers, ("headers",))
    yield from _request(declared.test, ("test",), common, reads=True)
    if not declared.test.absent.never:
        yield ("test", "absent"), "The test asks for something that is always there: write “never: true”."
    yield from _request(declared.read, ("read",), common | {"account.id"}, reads=True, must_tell=True)
    if "{account.id}" not in declared.read.path and "account.id" not in str(declared.read.query):
        yield ("read", "path"), "It does not ask for “{account.id}”, so it reads nobody in particular."
    for number, find in enumerate(declared.find):
        yield from _listing(find, ("find", number), common | {"value"})
        if find.by == "email" and not declared.account.emails:
            yield ("account",), "People are looked up by e-mail: say in “emails” where an account shows it."
        if find.by == "employee_number" and declared.account.employee_number is None:
            yield ("account",), "People are looked up by number: say in “employee_number” where it is shown."
    if declared.list_accounts:
        yield from _listing(declared.list_accounts, ("list_accounts",), common)
    if declared.entitlements:
        yield from _listing(declared.entitlements, ("entitlements",), common | ACCOUNT)
    for verb, deed in declared.verbs.items():
        yield from _deed(declared, verb, deed, common)


def _settings(declared: HttpDeclaration) -> Iterator[Finding]:
    for name in sorted(BUILT_IN & set(declared.settings)):
        yield ("settings", name), "Every system has this setting already; give yours another name."
    for key, name in declared.auth.secrets.items():
        rule = declared.settings.get(name)
        if rule is None or not rule.secret or not rule.required:
            yield ("auth", key), f"“{name}” has to be one of “settings”, with “secret: true”, and required."
    if declared.auth.username:
        rule = declared.settings.get(declared.auth.username)
        if rule is None or rule.secret or not rule.required:
            yield ("auth", "username"), "It names a setting that is required and no secret."
    if declared.auth.header.lower() in KEPT_HEADERS - {"authorization"}:
        yield ("auth", "header"), "This header belongs to the connection."
    for name, rule in declared.settings.items():
        if rule.secret and name not in declared.auth.secrets.values():
            yield ("settings", name), "A secret is sent by “auth” alone, and this one is not named there."
        if not rule.required and f"settings.{name}" in declared.model_dump_json():
            yield ("settings", name), "It stands in a request, so it cannot be left out."


def _deed(declared: HttpDeclaration, verb: Verb, deed: Deed, common: frozenset[str]) -> Iterator[Finding]:
    place: Place = ("verbs", verb.value)
    known = common | (ENTITLEMENT if verb is Verb.REMOVE_ENTITLEMENTS else ACCOUNT)
    for key, requests in (("requests", deed.requests), ("restore", deed.restore)):
        for number, request in enumerate(requests):
            yield from _request(request, (*place, key, number), known, reads=False)
    if deed.read_back:
        yield from _request(
            deed.read_back, (*place, "read_back"), common | ACCOUNT, reads=True, must_tell=True
        )
    if deed.undone and not deed.restore:
        yield (*place, "undone"), "It has no “restore”, so it cannot be undone."
    if verb in (Verb.REMOVE_ENTITLEMENTS, Verb.DELETE) and (deed.done_when or deed.read_back):
        yield (
            place,
            f"{verb.value} is read back by {'entitlements' if verb is not Verb.DELETE else 'read'} alone.",
        )
    if verb is Verb.REMOVE_ENTITLEMENTS and declared.entitlements is None:
        yield place, "Say in “entitlements” how an account's groups are asked."
    if verb is Verb.DELETE and deed.restore:
        yield (*place, "restore"), "What was deleted does not come back as the same account."
    if verb is Verb.SUSPEND and deed.done_when and declared.account.is_active is None:
        yield ("account",), "People are suspended: say in “is_active” where it is shown."


def _listing(listing: Listing, place: Place, known: frozenset[str]) -> Iterator[Finding]:
    yield from _request(listing.request, (*place, "request"), known, reads=True)
    if listing.paging and listing.paging.query in listing.request.query:
        yield (*place, "paging", "query"), "The request sets this parameter itself."


def _request(
    request: Request, place: Place, known: frozenset[str], *, reads: bool, must_tell: bool = False
) -> Iterator[Finding]:
    for mistake in mistakes_in_path(request.path, known):
        yield (*place, "path"), f"{mistake}."
    for name, value in request.query.items():
        for mistake in mistakes_in_text(value, known, body=False):
            yield (*place, "query", name), f"{mistake}."
    for where, text in _texts(request.body, (*place, "body")):
        for mistake in mistakes_in_text(text, known, body=True):
            yield where, f"{mistake}."
    yield from _headers(request.headers, (*place, "headers"))
    if not reads and request.method == "GET":
        yield (*place, "method"), "GET changes nothing: a verb needs a method that does."
    if not reads and request.changes_nothing:
        yield (*place, "changes_nothing"), "A verb changes something: a dry run has to stop it."
    if reads and request.method != "GET" and not (request.method == "POST" and request.changes_nothing):
        yield (*place, "method"), "Reading is GET, or POST with “changes_nothing: true”."
    if reads and request.accepted:
        yield (*place, "accepted"), "Only a change can be accepted for later."
    yield from _conditions(request, place, must_tell=must_tell)


def _conditions(request: Request, place: Place, *, must_tell: bool) -> Iterator[Finding]:
    for key, statuses in (("success", request.success.status), ("accepted", request.accepted)):
        if any(not 200 <= status < 300 for status in statuses):
            yield (*place, key), "Success is 2xx. Whatever else comes is unknown, and is tried again."
    if request.success.never:
        yield (*place, "success"), "Say what success looks like."
    if must_tell and request.absent.never:
        yield (*place, "absent"), "Say what it looks like when there is no such account."
    yield from _absent(request.absent, (*place, "absent"))


def _absent(absent: Condition, place: Place) -> Iterator[Finding]:
    for status in absent.status:
        if status not in GONE | GONE_IN_WORDS:
            yield (
                place,
                f"{status} is no absence: a failed question is not “no account”. Only 404, 410, or 200, 400 "
                "and 422 with “where”.",
            )
        elif status in GONE_IN_WORDS and not absent.where:
            yield place, f"{status} alone is no absence: say in “where” what the answer shows then."


def _headers(headers: dict[str, str], place: Place) -> Iterator[Finding]:
    for name, value in headers.items():
        if name.lower() in KEPT_HEADERS:
            yield (*place, name), "This header belongs to the connection, or to “auth”."
        if any(c < " " or c > "~" for c in value) or "{" in value:
            yield (*place, name), "A header is constant and plain: no placeholders, no special characters."


def _texts(body: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(body, str):
        yield place, body
    elif isinstance(body, list):
        for number, each in enumerate(body):
            yield from _texts(each, (*place, number))
    elif isinstance(body, dict):
        for key, each in body.items():
            if "{" in key or "}" in key:
                yield (*place, key), "{"  # never in keys: reported as a brace
            yield from _texts(each, (*place, key))
