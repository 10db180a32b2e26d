"""Row 3: an idempotent API. Many calls with one key have one effect and one answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from partwell import clock
from partwell.api import authentication
from partwell.api.idempotency import ABANDONED_AFTER
from partwell.api.models import KeptAnswer
from partwell.journeys.models import Comment
from partwell.people.actors import console_actor
from partwell.people.models import ApiToken
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.factories import make_holder, make_person, publish, start_journey

AT_ONCE = 10


@pytest.fixture
def secret(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> str:
    cache.clear()
    monkeypatch.setattr(authentication, "CALLS_PER_MINUTE", 10**9)
    return token_for("Amara Osei")


def token_for(name: str) -> str:
    holder = make_holder(Role.HR, name)
    return create_token(scopes=["write"], email=holder.email, actor=console_actor(), now=clock.now())[1]


@pytest.fixture
def path(secret: str) -> str:
    publish()
    journey = start_journey(make_person())
    return f"/api/v1/journeys/{journey.pk}/steps/confirm/comments"


def call(secret: str, path: str, key: str, text: str) -> tuple[int, bytes]:
    """One call; told that the first one still runs, it asks again for a minute."""
    headers = {"host": "localhost", "Authorization": f"Bearer {secret}", "Idempotency-Key": key}
    deadline = time.monotonic() + 60
    while True:
        answer = Client().post(
            path, json.dumps({"text": text}), content_type="application/json", headers=headers
        )
        if answer.status_code != 409 or time.monotonic() > deadline:
            return answer.status_code, answer.content


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    def run(one: Callable[[], Any]) -> Any:
        try:
            return one()
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, calls))


def test_each_key_has_one_effect_and_one_answer_however_often_it_is_called_at_once(
    secret: str, path: str, long: bool, figure: Callable[[str], None]
) -> None:
    keys = [f"key-{number}" for number in range(1000 if long else 25)]
    began, odd = time.monotonic(), []
    for key in keys:
        answers = together([lambda key=key: call(secret, path, key, f"said under {key}")] * AT_ONCE)
        if len(set(answers)) != 1 or answers[0][0] != 201:
            odd.append((key, answers))
    changed = [call(secret, path, key, "something else")[0] for key in keys]
    effects = list(Comment.objects.values_list("text", flat=True))
    figure(
        f"row 3: {len(keys)} keys × {AT_ONCE} at once: {len(effects)} effects, {len(odd)} keys with "
        f"differing answers, {changed.count(422)} of {len(keys)} changed bodies refused "
        f"({time.monotonic() - began:.1f} s, {connection.vendor})"
    )
    assert odd == []
    assert sorted(effects) == sorted(f"said under {key}" for key in keys)
    assert set(changed) == {422}


def test_a_refusal_is_kept_too_and_leaves_nothing_behind(secret: str, path: str) -> None:
    answers = {call(secret, path, "empty", "  ") for _ in range(3)}
    assert len(answers) == 1 and answers.pop()[0] == 422
    assert not Comment.objects.exists()


def test_a_key_belongs_to_one_token(secret: str, path: str) -> None:
    other = token_for("Hedda Ruiz")
    assert call(secret, path, "mine", "from the first")[0] == 201
    assert call(other, path, "mine", "from the second")[0] == 201
    assert Comment.objects.count() == 2


def test_a_crash_keeps_neither_the_effect_nor_the_key(
    secret: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer cannot be kept: then what it answered has not happened, and the call can be repeated."""
    with monkeypatch.context() as broken:
        broken.setattr(KeptAnswer, "save", _fail)
        assert call(secret, path, "crash", "once")[0] == 500
    assert not Comment.objects.exists()
    assert not KeptAnswer.objects.filter(key="crash", status__isnull=False).exists()
    assert call(secret, path, "crash", "once")[0] == 201
    assert Comment.objects.count() == 1


def test_a_call_that_asks_other_systems_is_told_to_come_back_until_the_first_has_ended(
    secret: str, path: str
) -> None:
    token = ApiToken.objects.get()
    plan = path.split("/steps/")[0] + "/access/plan"
    headers = {"host": "localhost", "Authorization": f"Bearer {secret}", "Idempotency-Key": "plan"}
    assert Client().post(plan, headers=headers).status_code == 201
    running = KeptAnswer.objects.get(token=token, key="plan")
    KeptAnswer.objects.filter(pk=running.pk).update(status=None)
    answer = Client().post(plan, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "call_in_progress")
    KeptAnswer.objects.filter(pk=running.pk).update(began_at=clock.now() - 2 * ABANDONED_AFTER)
    assert Client().post(plan, headers=headers).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(secret: str, path: str, key: str) -> None:
    assert call(secret, path, key, f"{uuid4()}")[0] == 422
    assert not Comment.objects.exists()


def _fail(*args: Any, **kwargs: Any) -> None:
    # get_or_create saves with force_insert; keeping the answer names its fields.
    if "update_fields" in kwargs:
        raise OSError("the disk is full")
    super(KeptAnswer, args[0]).save(**kwargs)
