"""What a visit to a page is; `accessible_pages` lists them all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from tests.proofs.accessible_deeds import Deed


@dataclass(frozen=True)
class AStep:
    """The first step of somebody's journey that is as wanted; in an address it stands for its key."""

    whose: str
    wanted: tuple[tuple[str, Any], ...]


def a_step(whose: str, **wanted: Any) -> AStep:
    return AStep(whose, tuple(wanted.items()))


Parts = tuple[str | AStep, ...]


@dataclass(frozen=True)
class Visit:
    """One page as one person sees it.

    `page` is the name of the address that is shown in the end and `args` what stands in it: a word of the
    stage's, a step, or itself. `start` is the address where they begin, where that is another one; `path`
    one without a name, `host` the server's name in the network. `around` changes the installation meanwhile.
    What is extra shows a page once more, in a state that differs little, and waits for `--long`.
    """

    by: str
    page: str = ""
    args: Parts = ()
    state: str = ""
    query: str = ""
    path: str = ""
    host: str = "localhost"
    start: Parts = ()
    do: Deed | None = None
    status: int = 200
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    is_extra: bool = False

    def __str__(self) -> str:
        what = self.page.rpartition(":")[2].replace("_", "-") or "error"
        return f"accessible-{what}" + (f"-{self.state.replace(' ', '-')}" if self.state else "")


def visit(by: str, page: str = "", *args: str | AStep, **more: Any) -> Visit:
    return Visit(by, page, args, **more)
