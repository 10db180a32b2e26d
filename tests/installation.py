"""An installation that runs as people run it: `partwell up` in a folder of its own, on a free port."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.console import Console
from tests.servers.running import answers, free_port, wait_until
from tests.signing_in import PASSWORD

GIVE_PASSWORDS = """
import sys, django
django.setup()
from partwell.people.models import User
for email in sys.argv[2:]:
    user = User.objects.get(email=email)
    user.set_password(sys.argv[1])
    user.save()
"""
GIVE_SECOND_FACTOR = """
import sys, django
django.setup()
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from partwell.people.models import User
secret = generate_totp_secret()
TOTP.activate(User.objects.get(email=sys.argv[1]), secret)
print(secret)
"""


@dataclass(frozen=True)
class Installation:
    """A firm's installation that is being served at `url`."""

    console: Console
    url: str

    def give_passwords(self, *emails: str) -> None:
        """Let these people sign in with `PASSWORD`, as if they had followed their invitations."""
        self._do_inside(GIVE_PASSWORDS, PASSWORD, *emails)

    def setup_code(self) -> str:
        """The code that opens the welcome page, as `partwell up` has printed it on its console."""
        log = self.console.folder / "up.log"
        printed = re.compile(r"set it up with this code: (\S+)")
        wait_until(lambda: bool(printed.search(log.read_text())), seconds=60, what="the code being printed")
        return printed.findall(log.read_text())[-1]

    def give_second_factor(self, email: str) -> str:
        """Set up somebody's second factor; the secret that their authenticator app keeps."""
        return self._do_inside(GIVE_SECOND_FACTOR, email)

    def _do_inside(self, script: str, *words: str) -> str:
        """Run a few lines of Python with this installation's settings; what they print."""
        environment = {**self.console.environment, "DJANGO_SETTINGS_MODULE": "partwell.config.settings"}
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@contextmanager
def served(console: Console) -> Iterator[Installation]:
    """The installation of this console while `partwell up` serves it and works for it."""
    port = free_port()
    up = console.start("up", "--port", str(port))
    try:
        wait_until(lambda: answers("127.0.0.1", port), seconds=180, what="partwell up answering")
        yield Installation(console, f"http://localhost:{port}")
    finally:
        up.terminate()
        up.wait(timeout=60)
