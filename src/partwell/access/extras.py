"""What is planned only because somebody asked for it by name. Data may go with it, so it runs last, and never
without a second person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from partwell.access.connections import Target
from partwell.connector_kit.contract import Verb
from partwell.refusals import Invalid


@dataclass(frozen=True)
class Extras:
    """What is planned only because somebody asked for it by name: in which systems licences are released, and
    in which accounts are deleted."""

    release_in: tuple[str, ...] = ()
    delete_in: tuple[str, ...] = ()

    def verbs(self, target: Target) -> tuple[Verb, ...]:
        """Those in this system."""
        asked = ((Verb.RELEASE_LICENCE, self.release_in), (Verb.DELETE, self.delete_in))
        return tuple(verb for verb, names in asked if target.name in names)

    def check(self, targets: Iterable[Target]) -> None:
        """Raises `Invalid` for a system that is not connected, or whose connection cannot do it."""
        known = {target.name: target for target in targets}
        for field, verb, names in (
            ("release_in", Verb.RELEASE_LICENCE, self.release_in),
            ("delete_in", Verb.DELETE, self.delete_in),
        ):
            for name in names:
                if name not in known or verb not in known[name].capabilities:
                    why = "is not connected" if name not in known else "has a connection that cannot do it"
                    words = "releasing licences" if verb is Verb.RELEASE_LICENCE else "deleting accounts"
                    raise Invalid(
                        "cannot_be_asked_for", f"“{name}” {why}: {words} was not planned.", field=field
                    )


NOTHING_MORE = Extras()
