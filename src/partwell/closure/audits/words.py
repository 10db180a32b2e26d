"""What people read for standings and doubts; every face says the same."""

from __future__ import annotations

from partwell.closure.audits.judging import Standing
from partwell.closure.audits.population import Doubt

STANDINGS: dict[Standing, str] = {
    Standing.PROOF: "Proven",
    Standing.ATTESTED: "A person’s word",
    Standing.LATE: "Late, with a reason",
    Standing.GAP: "Gap",
    Standing.UNKNOWN: "Unknown",
    Standing.NOT_APPLICABLE: "Does not apply",
}

DOUBTS: dict[Doubt, str] = {
    Doubt.OTHER_DAY: "register and departure name different last days",
    Doubt.NOT_IN_REGISTER: "the register does not say that they left",
    Doubt.NO_ENTRY: "the register has them no more",
    Doubt.TAKEN_BACK: "the notice was taken back, and the register says that they left",
    Doubt.SAME_NAME: "somebody else of this name left in this period, too",
}
