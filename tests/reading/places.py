"""Where readers cannot find what they may read: no page of theirs shows it. All else they must find."""

from __future__ import annotations

from tests.reading.canaries import Canaries
from tests.reading.readers import Reader

# Kept for restoring, for comparing, for the start form's own choices; or shown again by what replaced it.
SHOWN_NOWHERE = frozenset({"snapshot", "expectation", "notice's reason", "account's reason"})
# Theirs, and not on the page that they have.
NOT_OUTSIDE = frozenset(
    {
        "subject's address",
        "own step's file's content",
        "helper's step's file's content",
        "departing guest's address",
    }
)
# On pages, and in no answer of the API.
NOT_FOR_PROGRAMS = frozenset(
    {
        *("who gave notice", "notice's subject", "system's setting", "secret's reference", "question"),
        *("subject's title", "participant's address", "step's guidance", "own step's guidance"),
        *("helper's step's guidance", "added step's guidance"),
    }
)
# In answers of the API, and on no page.
NOT_ON_PAGES = frozenset(
    {
        *("rehire", "subject's address", "answer", "plan's reason", "display name", "match", "group"),
        *("receipt", "run's reason"),
    }
)
# On pages of one person of the register, of one rotation or one hand-over, of which a short run opens a few.
ONE_BY_ONE = frozenset(
    {"alias in the register", "how it was changed", "who changed a secret", "what came of a hand-over"}
)


def places_for(reader: Reader, canaries: Canaries, *, long: bool) -> frozenset[str]:
    """The places in which this reader must find what they may read."""
    places = frozenset(canary.place for canary in canaries.words.values()) - SHOWN_NOWHERE
    if reader.cookies or reader.player.leaves:
        places -= NOT_OUTSIDE
    if reader.user is None and reader.secret:
        places -= NOT_FOR_PROGRAMS
    if reader.user is not None and not reader.secret:
        places -= NOT_ON_PAGES
    if all(department for _, department in reader.player.grants):
        # The round is of somebody in another department than any of theirs.
        places -= {place for place in places if "round's" in place}
    return places if long else places - ONE_BY_ONE
