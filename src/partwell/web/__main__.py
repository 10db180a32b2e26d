"""`python -m partwell.web`: what `partwell web` becomes, and what the supervisor starts."""

import argparse
import os
import sys
from pathlib import Path

from partwell.engine.lifeline import end_with_parent


def main() -> None:
    """Hand this process over to granian: without Django, so that only granian's own child loads that."""
    parser = argparse.ArgumentParser(prog="partwell web")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--workers", default="1")
    parser.add_argument("--supervised-by", type=int, default=0)
    options = parser.parse_args()
    if options.supervised_by:
        end_with_parent(options.supervised_by)
    granian = str(Path(sys.executable).with_name("granian"))
    os.execv(  # noqa: S606 - no shell
        granian,
        [
            *(granian, "partwell.config.asgi:application", "--interface", "asginl"),
            *("--host", options.host, "--port", options.port, "--workers", options.workers),
            *("--no-ws", "--log-level", "warning", "--workers-kill-timeout", "5"),
        ],
    )


if __name__ == "__main__":
    main()
