"""`partwell …`: one Typer application, put together from the modules beside this one."""

from __future__ import annotations

import os

import typer

app = typer.Typer(name="partwell", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def run() -> None:
    """The entry point. Django is set up before the command modules are imported, because they need it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
    import django

    django.setup()
    app()
