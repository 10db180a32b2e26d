"""A small user directory with an HTTP interface, run on a free port, that can be made to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "directory-token-canary"
_numbers = count(1)

Answer = tuple[int, Any, dict[str, str]]


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any

    @property
    def segments(self) -> list[str]:
        """The path's segments, each decoded by itself."""
        return [unquote(part) for part in urlsplit(self.target).path.split("/")[1:]]

    @property
    def query(self) -> dict[str, str]:
        """The query, each parameter's first value."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass
class Directory:
    """The directory's people and groups. `misbehave` answers in its place where it returns something."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[str, int] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    misbehave: Callable[[Seen], Answer | None] = lambda seen: None
    url: str = ""
    page_size: int = 2

    def add_person(self) -> dict[str, Any]:
        """An active person with a session, in two groups."""
        number = next(_numbers)
        user = {
            "id": f"u-{number}",
            "login": f"person{number}",
            "name": f"Person {number}",
            "mail": f"person{number}@firm.test",
            "staff_number": f"E-{number}",
            "state": "active",
            "last_seen": "2026-11-20T08:00:00+00:00",
        }
        self.users[user["id"]] = user
        self.sessions[user["id"]] = 2
        for name in ("staff", "sales", "project"):
            group = f"{name}-{number}"
            self.groups[group] = {"id": group, "name": group.title(), "members": [user["id"]]}
        return user

    def groups_of(self, user: str) -> list[dict[str, str]]:
        return [{"id": g["id"], "name": g["name"]} for g in self.groups.values() if user in g["members"]]

    def writes(self) -> list[Seen]:
        return [each for each in self.seen if each.method != "GET"]

    def answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        if (odd := self.misbehave(seen)) is not None:
            return odd
        if seen.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "token"}, {}
        match seen.method, seen.segments:
            case "GET", ["firm", "about"]:
                return 200, {"product": "staff directory"}, {}
            case "GET", ["firm", "users"]:
                return self._list(seen)
            case "POST", ["firm", "groups", group, "members"]:
                if group not in self.groups:
                    return 404, {"error": "no_such_group"}, {}
                self.groups[group]["members"].append(seen.body["user"])
                return 201, None, {}
            case "DELETE", ["firm", "groups", group, "members", user]:
                if user not in self.groups.get(group, {}).get("members", []):
                    return 404, {"error": "no_such_member"}, {}
                self.groups[group]["members"].remove(user)
                return 204, None, {}
            case method, ["firm", "users", user, *rest] if user in self.users:
                return self._user(method, user, rest, seen)
            case _, ["firm", "users", *_]:
                return 404, {"error": "no_such_user"}, {}
        return 404, None, {}

    def _user(self, method: str, user: str, rest: list[str], seen: Seen) -> Answer:
        match method, rest:
            case "GET", []:
                return 200, self.users[user], {}
            case "PATCH", []:
                self.users[user]["state"] = seen.body["state"]
                return 200, self.users[user], {"x-request-id": "request-1"}
            case "GET", ["sessions"]:
                return 200, {"count": self.sessions.get(user, 0)}, {}
            case "DELETE", ["sessions"]:
                self.sessions[user] = 0
                return 204, None, {}
            case "GET", ["groups"]:
                found = self.groups_of(user)
                start = int(seen.query.get("after", "0"))
                more = start + self.page_size < len(found)
                page = {"groups": found[start : start + self.page_size]}
                return 200, page | ({"next": start + self.page_size} if more else {}), {}
        return 404, None, {}

    def _list(self, seen: Seen) -> Answer:
        wanted = {k: v.lower() for k, v in seen.query.items() if k in ("mail", "login", "staff_number")}
        found = [u for u in self.users.values() if all(str(u[k]).lower() == v for k, v in wanted.items())]
        page = int(seen.query.get("page", "1"))
        start = (page - 1) * self.page_size
        more = start + self.page_size < len(found)
        path = urlsplit(seen.target)
        rest = "&".join(part for part in path.query.split("&") if not part.startswith("page="))
        link = {"link": f'<{path.path}?{rest}&page={page + 1}>; rel="next"'} if more else {}
        return 200, {"users": found[start : start + self.page_size], "total": len(found)}, link


@contextmanager
def directory() -> Iterator[Directory]:
    """A fresh directory that answers until the block is left."""
    kept = Directory()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, json.loads(raw) if raw else None)
            status, content, more = kept.answer(seen)
            body = content.encode() if isinstance(content, str) else b""
            if content is not None and not isinstance(content, str):
                body = json.dumps(content).encode()
                more = {"content-type": "application/json", **more}
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
