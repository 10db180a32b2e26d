"""`partwell …`: one Typer application, put together from the modules beside this one.

A module's `app` becomes the group that is named like the module, with a hyphen for each underscore
(`partwell journeys …`, `partwell set-up …`); a module with several groups names each `<group>_app`. The
commands of `processes` stand at the top (`partwell up`).
Only the modules that a command line needs are imported: all of them take half a second.
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
    load_commands_for("".join(sys.argv[1:2]))
    try:
        app()
    except SystemExit as end:
        # Bad usage ends before any command could say so in JSON; what is wrong stands on stderr.
        if end.code == BAD_USAGE and "--json" in sys.argv:
            typer.echo(json.dumps({"error": {"code": "bad_usage", "field": "", "message": USAGE_TEXT}}))
        raise


def load_commands_for(word: str) -> None:
    """Mount what a command line that begins with this word needs; everything where the word names nothing."""
    for module in (word.replace("-", "_"), "processes"):
        if module in _modules():
            _mount(module)
        if word in typer.main.get_group(app).commands:
            return
    load_commands()


def load_commands() -> None:
    """Import every module beside this one, and mount what it offers."""
    for name in _modules():
        _mount(name)


def _modules() -> list[str]:
    found = [module.name for module in pkgutil.iter_modules(partwell.cli.__path__)]
    return [name for name in found if name not in ("main", "__main__")]


@cache
def _mount(module: str) -> None:
    """Once, add a module's commands to the application."""
    for name, commands in vars(importlib.import_module(f"partwell.cli.{module}")).items():
        if not isinstance(commands, typer.Typer) or commands is app:
            continue
        if module == "processes":
            app.add_typer(commands)
        elif name == "app":
            app.add_typer(commands, name=module.replace("_", "-"))
        elif name.endswith("_app"):
            app.add_typer(commands, name=name.removesuffix("_app"))
