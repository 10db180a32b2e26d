"""The same call twice has one effect and one answer, as `Idempotency-Key` promises.

The key is claimed, the operation runs and its answer is kept in one transaction, so a crash leaves either
all three or none; a second call at the same moment waits at the key until the first has committed. What
asks other systems cannot hold a transaction meanwhile: there the claim commits first, and a call at the
same moment is told to come back.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from partwell import clock
from partwell.api.answers import refused
from partwell.api.authentication import caller_of
from partwell.api.bodies import fingerprint
from partwell.api.models import KeptAnswer
from partwell.refusals import Conflict, Invalid, Refusal

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
KEPT_FOR = timedelta(hours=48)
# Longer than any system may take to answer; whoever claimed a key so long ago has died with it.
ABANDONED_AFTER = timedelta(minutes=10)

View = Callable[..., HttpResponse]


def idempotent(view: View) -> View:
    """For endpoints whose operation is one transaction."""
    return _remembering(view, _run_together)


def idempotent_outside(view: View) -> View:
    """For endpoints that ask other systems; what they do must be harmless to repeat after a crash."""
    return _remembering(view, _run_apart)


def _remembering(view: View, run: Callable[..., HttpResponse]) -> View:
    @wraps(view)
    def remembered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get(HEADER)
        if key is None:
            return view(request, *args, **kwargs)
        if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
            raise Invalid(
                "idempotency_key_invalid", f"A key has 1 to {LONGEST_KEY} printable characters.", field=HEADER
            )
        return run(request, key, fingerprint(request), lambda: view(request, *args, **kwargs))

    # Ninja reads parameter types from here; as text they would be looked up in this module.
    remembered.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]
    return remembered


def _run_together(
    request: HttpRequest, key: str, print_: str, call: Callable[[], HttpResponse]
) -> HttpResponse:
    with transaction.atomic():
        kept, is_ours = _claim(request, key, print_)
        if not is_ours:
            return _repeat(kept, print_)
        try:
            # Of a refused call nothing stays but its answer.
            with transaction.atomic():
                response = call()
        except Refusal as refusal:
            response = refused(refusal)
        return _keep(kept, response)


def _run_apart(request: HttpRequest, key: str, print_: str, call: Callable[[], HttpResponse]) -> HttpResponse:
    with transaction.atomic():
        kept, is_ours = _claim(request, key, print_)
    if not is_ours and not _take_over(kept, print_):
        return _repeat(kept, print_)
    try:
        response = call()
    except Refusal as refusal:
        response = refused(refusal)
    except BaseException:
        kept.delete()
        raise
    return _keep(kept, response)


def _claim(request: HttpRequest, key: str, print_: str) -> tuple[KeptAnswer, bool]:
    token, now = caller_of(request).token, clock.now()
    KeptAnswer.objects.filter(token=token, began_at__lt=now - KEPT_FOR).delete()
    return KeptAnswer.objects.get_or_create(
        token=token, key=key, defaults={"fingerprint": print_, "began_at": now}
    )


def _take_over(kept: KeptAnswer, print_: str) -> bool:
    """Whether an abandoned call is now ours; of several who try, one."""
    now = clock.now()
    return bool(
        KeptAnswer.objects.filter(
            pk=kept.pk, fingerprint=print_, status=None, began_at__lt=now - ABANDONED_AFTER
        ).update(began_at=now)
    )


def _repeat(kept: KeptAnswer, print_: str) -> HttpResponse:
    if kept.fingerprint != print_:
        raise Invalid(
            "idempotency_key_reused",
            "This key was used for another call. Use a new key for a new call.",
            field=HEADER,
        )
    if kept.status is None:
        raise Conflict(
            "call_in_progress", "The first call with this key still runs. Ask again shortly.", field=HEADER
        )
    response = HttpResponse(kept.body, status=kept.status, content_type=kept.content_type)
    response["Idempotent-Replayed"] = "true"
    response["Cache-Control"] = "private, no-store"
    return response


def _keep(kept: KeptAnswer, response: HttpResponse) -> HttpResponse:
    kept.status = response.status_code
    kept.content_type = response["Content-Type"]
    kept.body = response.content.decode()
    kept.save(update_fields=["status", "content_type", "body"])
    return response
