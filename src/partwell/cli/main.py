"""`partwell …`: one Typer application, put together from the modules beside this one.

A module's `app` becomes the group that is named like the module (`partwell journeys …`); a module with
several groups names each `<group>_app`. The commands of `processes` stand at the top (`partwell up`).
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from functools import cache

import typer

import partwell.cli

BAD_USAGE = 2
USAGE_TEXT = "These words make no command; stderr says which, and `--help` after any part shows what does."

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
    try:
        app()
    except SystemExit as end:
        # Bad usage ends before any command could say so in JSON; what is wrong stands on stderr.
        if end.code == BAD_USAGE and "--json" in sys.argv:
            typer.echo(json.dumps({"error": {"code": "bad_usage", "field": "", "message": USAGE_TEXT}}))
        raise


@cache
def load_commands() -> None:
    """Once, import every module beside this one, and mount what it offers."""
    for found in pkgutil.iter_modules(partwell.cli.__path__):
        if found.name in ("main", "__main__"):
            continue
        module = importlib.import_module(f"partwell.cli.{found.name}")
        for name, commands in vars(module).items():
            if not isinstance(commands, typer.Typer) or commands is app:
                continue
            if found.name == "processes":
                app.add_typer(commands)
            elif name == "app":
                app.add_typer(commands, name=found.name)
            elif name.endswith("_app"):
                app.add_typer(commands, name=name.removesuffix("_app"))
