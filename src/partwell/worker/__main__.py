"""`python -m partwell.worker`: what `partwell worker` becomes, and what the supervisor starts."""

import os
import sys

import django

from partwell.engine.lifeline import end_with_parent

if __name__ == "__main__":
    if sys.argv[1:2] == ["--supervised-by"]:
        end_with_parent(int(sys.argv[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
    django.setup()

    from partwell.worker.run import run_worker  # only now are there models

    run_worker()
