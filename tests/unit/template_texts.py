"""A small sound template, and ways to break it."""

from __future__ import annotations

SOUND = """\
id: small-one
title: A small template
summary: A template for tests, as small as the rules allow it to be.
audience: staff
initiated_by: leaver
reasons: [other]
empty_phases: {3: none, 4: none, 5: none, 7: none, 8: none, 9: none, 10: none}
empty_roles: {line_manager: none, account_manager: none, executive: none, finance: none, legal: none}
steps:
  - key: confirm-notice
    phase: 1
    title: Confirm the notice
    role: hr
    due: notice +1 working_day
    guide: [M1]
  - key: say-wishes
    phase: 2
    title: Say what you wish
    role: departing
    due: notice +3 working_days
    needs: [confirm-notice]
    visibility: everybody
    when: person.tenure_years >= 1
  - key: cut-access
    phase: 6
    title: Cut all access
    role: it_security
    kind: deprovision
    due: access_end
    needs: [confirm-notice]
"""


def line_of(text: str, part: str) -> int:
    """The line, from 1, on which `part` stands first."""
    return text[: text.index(part)].count("\n") + 1


def with_change(old: str, new: str) -> str:
    """The sound template with one part exchanged; the part must be there."""
    assert old in SOUND
    return SOUND.replace(old, new, 1)
