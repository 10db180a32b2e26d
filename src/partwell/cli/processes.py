"""`partwell up`, `web`, `worker` and `init`: the processes of an installation."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from django.conf import settings
from django.core.management import call_command

from partwell import clock
from partwell.cli.earlier_tables import refuse_tables_of_before
from partwell.cli.supervisor import Child, Supervisor
from partwell.engine import schema
from partwell.engine.reachable import wait_for_database
from partwell.journeys.template_operations import sync_library
from partwell.people import setup_code
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.refusals import Refusal

app = typer.Typer()

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8765
PRACTICE_COMPANY = "Practice"
WEB = ("-m", "partwell.web")
WORKER = ("-m", "partwell.worker")
ANSWERS_WITHIN_SECONDS = 60.0

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


@app.command()
def init(
    practice: Annotated[bool, typer.Option("--practice", help="For trying out: every page says so.")] = False,
    company: Annotated[str, typer.Option(help="The name of your company.")] = "",
    admin_email: Annotated[str, typer.Option(help="Who becomes the first administrator.")] = "",
) -> None:
    """Create or upgrade the database; the first time, also say whose installation it is."""
    _prepare()
    schema.ensure()  # `up` leaves this to its worker, which imports the engine anyway
    if company or practice or admin_email:
        _initialise(practice=practice, company=company, admin_email=admin_email)
    _say("The database is ready.")
    if not User.objects.exists():
        _say(_first_sign_in())


@app.command()
def web(
    port: Port = DEFAULT_PORT,
    host: Host = DEFAULT_HOST,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve.")] = 1,
) -> None:
    """Serve pages and the API. Start as many as you like on one PostgreSQL database."""
    _become(*WEB, "--port", str(port), "--host", host, "--workers", str(workers))


@app.command()
def worker() -> None:
    """Do the work: journeys, access, mail, deadlines. As many as you like on one PostgreSQL database."""
    _become(*WORKER)


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="Fill it with a demo firm.")] = False,
    port: Port = DEFAULT_PORT,
    host: Host = DEFAULT_HOST,
) -> None:
    """Start everything: bring the database up to date, then serve and work until Ctrl-C."""
    started = time.monotonic()
    wait_for_database(lambda: False)
    _prepare()
    sign_in = _demo_sign_in() if demo else ""
    _say("Starting web and worker…")
    supervisor = Supervisor(
        children=[
            Child("web", (*WEB, "--port", str(port), "--host", host)),
            Child("worker", WORKER),
        ],
        say=_say,
    )
    supervisor.start()
    address = f"http://{'localhost' if host == DEFAULT_HOST else host}:{port}"
    if _wait_until_it_answers(supervisor, f"http://{host}:{port}/healthz"):
        _say(f"Ready after {time.monotonic() - started:.1f} s. Partwell is at {address}  (Ctrl-C stops it)")
        _say(sign_in or _first_sign_in())
        if shutil.which("partwell") is None:
            _say(f"Where this says partwell, type {sys.argv[0]}")
    supervisor.run()


def _prepare() -> None:
    settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _refusals_said():
        refuse_tables_of_before()
    _say("Bringing the database up to date…")
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    sync_library(now=clock.now())


@contextmanager
def _refusals_said() -> Iterator[None]:
    """A refusal in words, and the exit code that stands for it."""
    try:
        yield
    except Refusal as refusal:
        _say(refusal.message)
        raise typer.Exit(refusal.exit_code) from refusal


def _first_sign_in() -> str:
    """How to get in: with an account, or the first time with a code that only this console shows."""
    if User.objects.exists():
        return "Sign in with your account."
    return f"Nobody can sign in yet. Open the page and set it up with this code: {setup_code.issue()}"


def _initialise(*, practice: bool, company: str, admin_email: str) -> None:
    """The first run's facts; `people` owns them."""
    operations = importlib.import_module("partwell.people.operations")
    with _refusals_said():
        operations.initialise(
            company=company or (PRACTICE_COMPANY if practice else ""),
            practice=practice,
            admin_email=admin_email,
            actor=console_actor(),
            now=clock.now(),
        )


def _demo_sign_in() -> str:
    """Build the demo firm where it is not there yet; how to sign in to it."""
    _say("Preparing the demo firm…")
    operations = importlib.import_module("partwell.demo.operations")
    with _refusals_said():
        return str(operations.ensure_demo(clock.now(), say=_say))


def _wait_until_it_answers(supervisor: Supervisor, url: str) -> bool:
    deadline = time.monotonic() + ANSWERS_WITHIN_SECONDS
    while not supervisor.is_stopping:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address, http
                return True
        except OSError:
            supervisor.look()
        if time.monotonic() > deadline:
            _say(f"{url} does not answer yet. The messages above say why; Partwell keeps trying.")
            return False
        time.sleep(0.05)
    return False


def _become(*arguments: str) -> NoReturn:
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell, our own arguments


def _say(text: str) -> None:
    typer.echo(text, err=True)
