"""Every template of the library serves every row of good practice that applies to its scenario."""

from __future__ import annotations

import pytest

from partwell.journeys.template.check import parse
from partwell.journeys.template.guide import GUIDE_ROWS
from partwell.journeys.template.library import library_files
from partwell.journeys.template.model import Template

TEMPLATES: dict[str, Template] = {path.stem: parse(path.read_text("utf-8")) for path in library_files()}
STAFF = (
    "staff-resignation",
    "staff-dismissal-for-cause",
    "contractor-end",
    "intern-end",
    "staff-fixed-term-end",
    "staff-redundancy",
    "staff-death-in-service",
    "staff-retirement",
)
CLIENT = (
    "client-contract-expiry",
    "client-early-cancellation",
    "client-terminated-by-us",
    "client-project-completion",
    "client-acquired-or-closed",
    "client-trial-ended",
)
# Nobody leaves in these: they are what the kill switch starts, and are followed by access or by a departure.
URGENT = ("staff-urgent-cut", "client-urgent-cut")

CLIENT_ONLY = "It is about a client's contract, and no client leaves here."
STAFF_ONLY = "It is about a colleague's employment, and no colleague leaves here."

# Row → (why it does not apply to staff, why not to clients); None where it does.
BY_AUDIENCE: dict[str, tuple[str | None, str | None]] = {
    **dict.fromkeys(("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "I3"), (CLIENT_ONLY, None)),
    **dict.fromkeys(("S1", "S2", "S3", "M1", "M2", "M3", "M4"), (None, STAFF_ONLY)),
    **dict.fromkeys(("F1", "F2", "F3", "F4", "F5", "F6"), (None, STAFF_ONLY)),
    "I2": (None, "Lent devices are wiped under P2; locking from afar is for devices that we manage."),
    **dict.fromkeys(("W1", "W2", "W3", "P1", "P2", "P3", "P4", "I1", "T2", "T3", "Q1"), (None, None)),
    **dict.fromkeys(("E1", "E2", "E3", "E4"), (None, None)),
    **{f"J{phase}": (None, None) for phase in range(1, 11)},
}
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("staff-dismissal-for-cause", "F6"): (
        "The alumni network is for those who left in good standing; a later return is decided under S2."
    ),
    ("contractor-end", "E1"): "The review both ways is short on purpose; nobody is interviewed.",
    (
        "contractor-end",
        "F4",
    ): "No supplier is interviewed: both sides review the order together, under J8.",
    ("contractor-end", "F6"): "The alumni network is for former staff; new orders are asked for under S2.",
    ("client-trial-ended", "C2"): "Nothing was built together, so nobody takes anything over.",
    ("client-trial-ended", "J4"): "Nothing was built together; what they put in is data, under C4.",
    (
        "client-trial-ended",
        "C7",
    ): "A leader's call would press somebody who only looked; a note of thanks does.",
    ("client-trial-ended", "E1"): "There is one question, by a form; an hour is too much to ask of them.",
    ("client-trial-ended", "E3"): "They are promised that nobody calls them about their answer.",
    **{
        ("staff-death-in-service", row): why
        for rows, why in {
            (
                "F4",
                "E1",
                "E2",
                "E3",
                "E4",
                "J8",
            ): "There is nobody to interview, and no family is surveyed.",
            ("S3", "W3"): "Nobody chose to leave; what the family says is heard and not evaluated.",
            ("S2", "F6"): "Nobody can return. What goes on is contact with the family, under J10.",
            ("F3",): "Nobody will ask for a reference; what we say stands in the letter of condolence.",
            ("M4",): "Duties end with the person, and a grieving family is reminded of none.",
        }.items()
        for row in rows
    },
}


def _applies(row: str, template: str) -> bool:
    for_staff, for_client = BY_AUDIENCE[row]
    return (row in BY_AUDIENCE and (template, row) not in EXCEPTIONS) and (
        (for_staff if template in STAFF else for_client) is None
    )


def test_the_table_knows_every_row_and_every_template() -> None:
    assert set(BY_AUDIENCE) == set(GUIDE_ROWS)
    assert set(TEMPLATES) == {*STAFF, *CLIENT, *URGENT}
    for name, template in TEMPLATES.items():
        assert template.id == name
        assert template.audience == ("client" if name.startswith("client-") else "staff")


@pytest.mark.parametrize("name", [*STAFF, *CLIENT])
def test_each_row_that_applies_is_served_by_a_step(name: str) -> None:
    served = {row for step in TEMPLATES[name].steps for row in step.guide}
    applicable = {row for row in GUIDE_ROWS if _applies(row, name)}
    assert applicable - served == set()
    assert served - applicable == set(), "a row that is said not to apply is served after all"


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_step_serves_a_row(name: str) -> None:
    assert [step.key for step in TEMPLATES[name].steps if not step.guide] == []


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_phase_rows_are_served_in_their_phase(name: str) -> None:
    for step in TEMPLATES[name].steps:
        for row in step.guide:
            if row.startswith("J"):
                assert step.phase == int(row[1:]), f"{step.key} serves {row} in phase {step.phase}"
