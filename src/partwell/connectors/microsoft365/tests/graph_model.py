"""Microsoft's sign-in and Graph over a `Tenant`, for `ScriptedHttp`.

No request and no answer passes that Microsoft's published metadata of Graph v1.0 does not know
(`tests/vendor_csdl.py`). Sign-in is checked by RFC 6749 and RFC 7523, an assertion by its certificate's key.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from partwell.connectors.microsoft365.tests.tenant import Tenant, stamp
from tests.vendor_csdl import Contract

CLIENT_ID = "11111111-2222-4333-8444-555555555555"
SECRET = "client-secret-canary"
GRAPH_APP = "00000003-0000-0000-c000-000000000000"
ROOT = "https://graph.microsoft.com/v1.0"
TOKEN_URL = "https://login.microsoftonline.com/firm.test/oauth2/v2.0/token"
EVERYTHING = frozenset({"*"})
Answer = tuple[int, Any]
# Method, path, which permissions let it (any of them), and what answers.
Route = tuple[str, str, frozenset[str], Callable[..., Answer]]


def error(status: int, code: str, message: str = "It did not work.") -> Answer:
    return status, {"error": {"code": code, "message": message}}


NOTHING_THERE = error(404, "Request_ResourceNotFound", "Resource does not exist.")


class GraphModel:
    """Callable as a script of answers. `granted` are the app's permissions; `asked` is what was asked."""

    def __init__(self, tenant: Tenant, contract: Contract, routes: Sequence[Route]) -> None:
        self.tenant = tenant
        self.granted = EVERYTHING
        self._routes = routes
        self.certificate: x509.Certificate | None = None
        self.page_size = 100
        self.premium = True
        self.tokens: list[str] = []
        self.valid: set[str] = set()
        self.asked: list[str] = []
        self.written: list[str] = []
        self.stale: dict[str, dict[str, Any]] = {}  # users as an old copy shows them
        self.instead: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self._contract = contract

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.headers["host"].startswith("login."):
            return self._sign_in(request)
        self.asked.append(f"{request.method} {request.url.path}")
        given = self.instead(request)
        if given is not None:
            return given
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            return _response(*error(401, "InvalidAuthenticationToken"))
        path = request.url.path.removeprefix("/v1.0/")
        query = request.url.query.decode()
        body = json.loads(request.content) if request.content else None
        place = self._contract.check_request(request.method, path, query, request.headers, body)
        status, content = self._route(request.method, path, dict(parse_qsl(query)), body)
        if status == 200 and content is not None:
            self._contract.check_answer(place, content)
        if request.method != "GET" and status < 300:
            self.written.append(f"{request.method} {path}")
        return _response(status, content)

    # -- signing in -----------------------------------------------------------------------------------

    def _sign_in(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert form.pop("grant_type") == "client_credentials"
        assert form.pop("scope") == "https://graph.microsoft.com/.default"
        assert form.pop("client_id") == CLIENT_ID
        if "client_assertion" in form:
            assert (
                form.pop("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            )
            self._check_assertion(form.pop("client_assertion"))
        elif form.pop("client_secret") != SECRET:
            refusal = {
                "error": "invalid_client",
                "error_codes": [7000215],
                "error_description": "no " + SECRET,
            }
            return httpx.Response(401, json=refusal)
        assert not form
        self.tokens.append(f"access-token-canary-{len(self.tokens)}")
        self.valid.add(self.tokens[-1])
        answer = {"token_type": "Bearer", "expires_in": 3599, "access_token": self.tokens[-1]}
        return httpx.Response(200, json=answer)

    def _check_assertion(self, assertion: str) -> None:
        header, claims, signature = (_decoded(part) for part in assertion.split("."))
        assert self.certificate is not None
        thumbprint = base64.urlsafe_b64encode(self.certificate.fingerprint(hashes.SHA256())).rstrip(b"=")
        assert json.loads(header) == {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint.decode()}
        said = json.loads(claims)
        assert (said["iss"], said["sub"], said["aud"]) == (CLIENT_ID, CLIENT_ID, TOKEN_URL)
        now = int(self.tenant.clock().timestamp())
        assert said["nbf"] <= now < said["exp"] <= now + 600
        assert said["jti"]
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
        signed = assertion.rpartition(".")[0].encode()
        self.certificate.public_key().verify(signature, signed, pss, hashes.SHA256())  # type: ignore[call-arg, union-attr]

    # -- routes ---------------------------------------------------------------------------------------

    def _route(self, method: str, path: str, options: dict[str, str], body: Any) -> Answer:
        for known_method, pattern, permissions, handle in self._routes:
            match = re.fullmatch(pattern, path)
            if known_method != method or match is None:
                continue
            if self.granted is not EVERYTHING and not self.granted & permissions:
                return error(403, "Authorization_RequestDenied", "Insufficient privileges.")
            return handle(self, *match.groups(), options=options, body=body)
        raise AssertionError(f"the model has no {method} {path}")

    def listed(self, path: str, things: list[dict[str, Any]], options: dict[str, str]) -> Answer:
        """One page of a list, with the selected properties, and where to go on."""
        start = int(options.pop("$skiptoken", "0"))
        names = options.get("$select", "").split(",") if "$select" in options else None
        page = [selected(thing, names) for thing in things[start : start + self.page_size]]
        content: dict[str, Any] = {"value": page}
        if start + self.page_size < len(things):
            following = urlencode(options | {"$skiptoken": str(start + self.page_size)})
            content["@odata.nextLink"] = f"{ROOT}/{path}?{following}"
        return 200, content

    def user(self, user_id: str) -> dict[str, Any] | None:
        return self.stale.get(user_id) or self.tenant.users.get(user_id)


def selected(thing: dict[str, Any], names: list[str] | None) -> dict[str, Any]:
    """Only what was selected; its type always."""
    if names is None:
        return dict(thing)
    return {key: value for key, value in thing.items() if key in names or key == "@odata.type"}


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _response(status: int, content: Any) -> httpx.Response:
    headers = {"request-id": "req-1"}
    return httpx.Response(status, headers=headers, **({} if content is None else {"json": content}))


def find_users(model: GraphModel, *, options: dict[str, str], body: Any) -> Answer:
    tenant = model.tenant
    wants_activity = "signInActivity" in options.get("$select", "")
    if wants_activity and not model.premium:
        return error(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")
    if wants_activity and model.granted is not EVERYTHING and "AuditLog.Read.All" not in model.granted:
        return error(403, "Authorization_RequestDenied")
    users = list(tenant.users.values())
    if condition := options.get("$filter"):
        users = [user for user in users if holds(user, condition)]
    shown = [
        user | ({"signInActivity": tenant.activity.get(user["id"])} if wants_activity else {})
        for user in users
    ]
    return model.listed("users", shown, options)


def holds(thing: dict[str, Any], condition: str) -> bool:
    """Whether one of the comparisons holds; the contract's check has read the whole condition before."""
    for name, text in re.findall(r"(\w+)(?:/any\(x:x)? eq '((?:[^']|'')*)'", condition):
        value = thing.get(name)
        wanted = text.replace("''", "'").lower()
        if wanted in [str(each).lower() for each in (value if isinstance(value, list) else [value])]:
            return True
    return False


def typed(kind: str, thing: dict[str, Any]) -> dict[str, Any]:
    return {"@odata.type": f"#microsoft.graph.{kind}", **thing}


def now_of(model: GraphModel) -> str:
    return stamp(model.tenant.clock())
