"""What AWS's Query protocol answers: XML in the shape that was asked for, or a failure as data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connector_kit.pacing import retry_at
from partwell.connector_kit.transport import Answer

_KINDS = {
    ErrorKind.THROTTLED: (
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "SlowDown",
    ),
    ErrorKind.RETRYABLE: (
        "ServiceFailure",
        "ServiceUnavailable",
        "InternalFailure",
        "InternalError",
        "ConcurrentModification",
        "EntityTemporarilyUnmodifiable",
        "RequestTimeout",
    ),
    ErrorKind.NOT_FOUND: ("NoSuchEntity",),
    ErrorKind.CONFLICT: ("EntityAlreadyExists", "DeleteConflict", "LimitExceeded"),
    ErrorKind.UNSUPPORTED: ("InvalidAction", "UnsupportedOperation", "ServiceNotSupported"),
    ErrorKind.DENIED: ("AccessDenied", "AccessDeniedException", "OptInRequired", "UnauthorizedOperation"),
}
_KIND_OF = {code: kind for kind, codes in _KINDS.items() for code in codes}
UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"})
BAD_SIGNATURE = frozenset({"SignatureDoesNotMatch"})
_CREDENTIALS = {
    **dict.fromkeys(UNKNOWN_KEY, "AWS does not know the access key, or it is inactive: check 'access_key'."),
    **dict.fromkeys(
        ("SignatureDoesNotMatch", "IncompleteSignature"),
        "AWS does not take the signature: check 'secret_key', 'region', and this machine's clock.",
    ),
    **dict.fromkeys(
        ("RequestExpired", "ExpiredToken", "ExpiredTokenException"),
        "AWS says that the request has expired: check this machine's clock, and the access key.",
    ),
    "MissingAuthenticationToken": "AWS found no credentials in the request.",
}


class Refusal(ConnectorError):
    """An error that AWS itself gave, with its `code`."""

    code = ""


def result_of(action: str, answer: Answer, *, now: datetime) -> dict[str, Any]:
    """What AWS answered to `action`. Raises `Refusal` for AWS's own errors, and RETRYABLE for what is not
    AWS's answer at all: a page in AWS's place says nothing about anybody."""
    root = _parsed(answer)
    if answer.status == 200 and root is not None and _name(root) == f"{action}Response":
        content = _plain(root)
        found = content.get(f"{action}Result", {}) if isinstance(content, dict) else {}
        return found if isinstance(found, dict) else {}
    error = root.find(".//{*}Error") if root is not None and _name(root) == "ErrorResponse" else None
    if error is None or answer.status == 200:
        if answer.status == 429:
            raise ConnectorError(
                ErrorKind.THROTTLED, "AWS has had enough for now.", retry_at=_later(answer, now)
            )
        kind = answer.headers.get("content-type", "no content type").partition(";")[0][:100]
        raise ConnectorError(
            ErrorKind.RETRYABLE,
            f"The answer to {action} ({answer.status}, {kind}) is not AWS's: something else answers at this "
            "address.",
            request_id=request_id(answer),
        )
    raise refusal(
        action, answer, str(error.findtext("{*}Code") or ""), str(error.findtext("{*}Message") or ""), now
    )


def refusal(action: str, answer: Answer, code: str, message: str, now: datetime) -> ConnectorError:
    """AWS's error as ours. Of a failed signature AWS repeats what was signed, so that is not repeated."""
    kind = _KIND_OF.get(code)
    if kind is None:
        kind = ErrorKind.DENIED if code in _CREDENTIALS else ErrorKind.INVALID
        kind = ErrorKind.RETRYABLE if answer.status >= 500 else kind
    said = _CREDENTIALS.get(code) or f"AWS refused {action} ({code[:60]}): {message[:300]}"
    if kind is ErrorKind.DENIED and code not in _CREDENTIALS:
        said += f" Partwell's policy has to allow iam:{action}; see the how-to."
    if code == "LimitExceeded" and action == "PutUserPolicy":
        said += (
            " The user's inline policies may have 2,048 characters together: make one of them a managed one."
        )
    error = Refusal(
        kind,
        said,
        retry_at=_later(answer, now) if kind is ErrorKind.THROTTLED else None,
        request_id=request_id(answer),
    )
    error.code = code
    return error


def request_id(answer: Answer) -> str:
    """AWS's own id for the request."""
    return str(answer.headers.get("x-amzn-requestid", ""))[:200] or answer.request_id


def rows(result: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of things. Raises RETRYABLE when the answer has no such list: that is not an empty one."""
    found = _members(result, name)
    if not all(isinstance(each, dict) for each in found):
        raise ConnectorError(ErrorKind.RETRYABLE, f"AWS's '{name}' is not a list of what was asked for.")
    return found


def names(result: dict[str, Any], name: str) -> list[str]:
    """A list of texts; raises as `rows` does."""
    found = _members(result, name)
    if not all(isinstance(each, str) for each in found):
        raise ConnectorError(ErrorKind.RETRYABLE, f"AWS's '{name}' is not a list of names.")
    return found


def text(thing: dict[str, Any], name: str) -> str:
    """A field that AWS always gives: nothing can be concluded about something without it."""
    found = thing.get(name)
    if not isinstance(found, str) or not found:
        raise ConnectorError(ErrorKind.RETRYABLE, f"AWS answered without '{name}'.")
    return found


def moment(thing: dict[str, Any], name: str) -> datetime | None:
    """A time, where AWS gives one."""
    try:
        found = datetime.fromisoformat(str(thing.get(name) or ""))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def document(thing: dict[str, Any], name: str = "PolicyDocument") -> str:
    """A policy's JSON, which AWS gives percent-encoded."""
    found = text(thing, name)
    return found if found.lstrip().startswith("{") else unquote(found)


def _members(result: dict[str, Any], name: str) -> list[Any]:
    found = result.get(name)
    if found == "":
        return []
    if not isinstance(found, list):
        raise ConnectorError(ErrorKind.RETRYABLE, f"AWS answered without '{name}'.")
    return found


def _parsed(answer: Answer) -> Element | None:
    try:
        root: Element = fromstring(answer.body, forbid_dtd=True)
    except (SyntaxError, ValueError, LookupError, DefusedXmlException):
        return None
    return root


def _plain(element: Element) -> Any:
    children = list(element)
    if not children:
        return (element.text or "").strip()
    if all(_name(child) == "member" for child in children):
        return [_plain(child) for child in children]
    return {_name(child): _plain(child) for child in children}


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _later(answer: Answer, now: datetime) -> datetime:
    return retry_at(answer.headers.get("retry-after", ""), now=now)
