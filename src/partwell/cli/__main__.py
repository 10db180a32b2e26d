"""`python -m partwell.cli …`, the same as `partwell …`; the supervisor starts its children with it."""

from partwell.cli.main import run

run()
