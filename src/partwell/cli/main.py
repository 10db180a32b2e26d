"""`partwell …`: one Typer application, put together from the modules beside this one.

A command module either decorates functions with this module's `app`, or has a `typer.Typer` of its own
named `app`, whose commands and groups become part of this one.
"""

from __future__ import annotations

import importlib
import os
import pkgutil

import typer

import partwell.cli

app = typer.Typer(name="partwell", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def partwell_() -> None:
    """Ends business relationships well: planned, done, read back, proven."""


def run() -> None:
    """The entry point. Django is set up before the command modules are imported, because they need it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
    import django

    django.setup()
    load_commands()
    app()


def load_commands() -> None:
    """Import every module beside this one, and add what it offers."""
    for found in pkgutil.iter_modules(partwell.cli.__path__):
        if found.name in ("main", "__main__"):
            continue
        commands = getattr(importlib.import_module(f"partwell.cli.{found.name}"), "app", None)
        if isinstance(commands, typer.Typer) and commands is not app:
            app.add_typer(commands)
