"""A Matrix homeserver (Synapse, AGPL, in a virtual environment of its own) on a free port, with SQLite."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from json import dumps
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.servers.catalogue import server
from tests.servers.running import PLAIN, free_port, running

NAME = "firm.test"
_numbers = count(1)


@dataclass(frozen=True)
class SynapseServer:
    """A running homeserver. Methods act as its own administrator, or as the user whose token is given."""

    url: str
    shared_secret: str
    bridge_token: str
    admin_token: str = field(default="", repr=False)
    admin_id: str = f"@admin:{NAME}"

    def register(self, username: str, *, is_admin: bool = False, mail: str = "") -> tuple[str, str]:
        """A new user with one open session: the id and the session's token."""
        nonce = self.call("GET", "/_synapse/admin/v1/register", token="")["nonce"]
        password = password_of(username)
        parts = [nonce, username, password, "admin" if is_admin else "notadmin"]
        mac = hmac.new(self.shared_secret.encode(), "\0".join(parts).encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": username, "password": password, "admin": is_admin, "mac": mac}
        made = self.call("POST", "/_synapse/admin/v1/register", body, token="")
        if mail:
            address = {"threepids": [{"medium": "email", "address": mail}]}
            self.call("PUT", f"/_synapse/admin/v2/users/{quote(made['user_id'])}", address)
        return made["user_id"], made["access_token"]

    def register_for_bridge(self) -> str:
        """A new user of an application service: the id."""
        body = {"type": "m.login.application_service", "username": f"bridge_{next(_numbers)}"}
        made = self.call("POST", "/_matrix/client/v3/register", body, token=self.bridge_token)
        return str(made["user_id"])

    def sign_in(self, username: str) -> httpx.Response:
        """The answer to a sign-in with the right password."""
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": username},
            "password": password_of(username),
        }
        return self.ask("POST", "/_matrix/client/v3/login", body, token="")

    def whoami(self, token: str) -> httpx.Response:
        """The answer to a session that asks whose it is."""
        return self.ask("GET", "/_matrix/client/v3/account/whoami", token=token)

    def make_room(self, token: str, name: str, **more: Any) -> str:
        """A new room of the token's user: the id."""
        body = {"name": name, "preset": "private_chat", **more}
        return str(self.call("POST", "/_matrix/client/v3/createRoom", body, token=token)["room_id"])

    def join(self, token: str, room: str) -> None:
        """Join a room, or accept an invitation."""
        self.call("POST", f"/_matrix/client/v3/join/{quote(room)}", {}, token=token)

    def user(self, user_id: str) -> dict[str, Any]:
        """The user, read now."""
        return self.call("GET", f"/_synapse/admin/v2/users/{quote(user_id)}")

    def powers(self, room: str) -> dict[str, int]:
        """The powers in a room, read now."""
        found = self.call("GET", f"/_synapse/admin/v1/rooms/{quote(room)}/state")
        (levels,) = [each for each in found["state"] if each["type"] == "m.room.power_levels"]
        return dict(levels["content"]["users"])

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> dict[str, Any]:
        """One request that has to succeed."""
        answer = self.ask(method, path, body, token=token)
        assert answer.status_code in (200, 201), (path, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> httpx.Response:
        """One request, whatever comes of it; with the administrator's token unless another is given."""
        token = self.admin_token if token is None else token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.request(method, self.url + path, json=body, headers=headers, timeout=20, verify=PLAIN)


def password_of(username: str) -> str:
    """The password of a user of the tests."""
    return f"password of {username}"


@contextmanager
def synapse(folder: Path) -> Iterator[SynapseServer]:
    """A fresh homeserver with one administrator."""
    folder.mkdir()
    port, secret, bridge_token = free_port(), secrets.token_hex(16), secrets.token_hex(16)
    url = f"http://127.0.0.1:{port}"
    _write(folder, port, secret, bridge_token)
    python = server("synapse").folder / "bin" / "python"
    command = [str(python), "-m", "synapse.app.homeserver", "--config-path", str(folder / "homeserver.yaml")]

    def is_ready() -> bool:
        try:
            return httpx.get(f"{url}/health", timeout=1, verify=PLAIN).status_code == 200
        except httpx.HTTPError:
            return False

    with running(command, ready=is_ready, log=folder / "synapse.log", seconds=60):
        admin_id, token = SynapseServer(url, secret, bridge_token).register("admin", is_admin=True)
        yield SynapseServer(url, secret, bridge_token, token, admin_id)


def _write(folder: Path, port: int, secret: str, bridge_token: str) -> None:
    """The configuration, and an application service. JSON is YAML too."""
    bridge = {
        "id": "bridge",
        "url": None,
        "as_token": bridge_token,
        "hs_token": secrets.token_hex(16),
        "sender_localpart": "bridge",
        "namespaces": {"users": [{"exclusive": True, "regex": f"@bridge_.*:{NAME}"}]},
    }
    (folder / "bridge.yaml").write_text(dumps(bridge))
    (folder / "signing.key").write_text("ed25519 a_test " + _seed() + "\n")
    fast = {"per_second": 10_000, "burst_count": 10_000}
    settings = {
        "server_name": NAME,
        "pid_file": str(folder / "synapse.pid"),
        "listeners": [
            {
                "port": port,
                "bind_addresses": ["127.0.0.1"],
                "type": "http",
                "tls": False,
                "resources": [{"names": ["client"]}],
            }
        ],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "registration_shared_secret": secret,
        "app_service_config_files": [str(folder / "bridge.yaml")],
        "trusted_key_servers": [],
        "report_stats": False,
        "bcrypt_rounds": 4,
        "federation_domain_whitelist": [],
        "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), fast),
        "rc_registration": fast,
        "rc_message": fast,
        "rc_admin_redaction": fast,
        "rc_joins": {"local": fast, "remote": fast},
        "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), fast),
        "rc_room_creation": fast,
    }
    (folder / "homeserver.yaml").write_text(dumps(settings))


def _seed() -> str:
    """A signing key's 32 bytes as Synapse writes them: base64 without padding."""
    return b64encode(secrets.token_bytes(32)).decode().rstrip("=")
