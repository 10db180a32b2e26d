"""The demo never comes where real people are, and only the demo can be reset."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from partwell import clock
from partwell.cli.demo import app
from partwell.demo.firm import address
from partwell.demo.operations import ensure_demo, is_demo, reset_demo
from partwell.demo.signin import present_code
from partwell.people.actors import console_actor
from partwell.people.models import Installation
from partwell.people.operations import initialise
from partwell.refusals import Conflict, NotAllowed

pytestmark = pytest.mark.django_db


def test_an_installation_of_somebody_is_never_filled_nor_reset() -> None:
    initialise(company="Real Ltd", practice=False, actor=console_actor(), now=clock.now())
    with pytest.raises(Conflict) as refused:
        ensure_demo(clock.now())
    assert refused.value.code == "installation_in_use"
    with pytest.raises(NotAllowed) as refused_reset:
        reset_demo(clock.now())
    assert refused_reset.value.code == "not_the_demo"
    assert CliRunner().invoke(app, ["reset", "--yes"]).exit_code == 3
    with pytest.raises(NotAllowed):
        present_code(address("Priya Raman"))
    assert not is_demo()


def test_practice_that_is_no_demo_is_not_reset_either() -> None:
    initialise(company="Practice", practice=True, actor=console_actor(), now=clock.now())
    with pytest.raises(NotAllowed):
        reset_demo(clock.now())
    assert Installation.objects.get().company_name == "Practice"
