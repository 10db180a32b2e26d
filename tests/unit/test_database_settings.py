"""Every connection to PostgreSQL notices a server that has vanished; the operator may decide otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from partwell.config.database import NOTICE_LOSS, database_settings

URL = "postgresql://partwell:secret@db.internal:5433/office?sslmode=verify-full"


def test_a_vanished_server_is_noticed_without_a_setting() -> None:
    options = database_settings(URL, Path("/data"))["OPTIONS"]
    assert options == NOTICE_LOSS | {"sslmode": "verify-full"}
    pauses = int(options["keepalives_interval"]) * int(options["keepalives_count"])
    assert int(options["keepalives_idle"]) + pauses < 30
    assert int(options["tcp_user_timeout"]) < 30_000


def test_what_the_url_says_wins() -> None:
    options = database_settings(f"{URL}&connect_timeout=3&tcp_user_timeout=0", Path("/data"))["OPTIONS"]
    assert (options["connect_timeout"], options["tcp_user_timeout"]) == ("3", "0")


@pytest.mark.parametrize("url", ["", "sqlite:////data/office.sqlite3"])
def test_a_file_cannot_vanish(url: str) -> None:
    assert not NOTICE_LOSS.keys() & database_settings(url, Path("/data"))["OPTIONS"].keys()
