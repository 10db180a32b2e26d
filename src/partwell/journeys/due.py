"""From a due rule to a moment: the deadlines of one departure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from partwell import clock
from partwell.journeys.template.model import Anchor, Due, Unit


@dataclass(frozen=True)
class Calendar:
    """The dates of a departure, and where its people live: all that due dates follow from.

    `planned_on` is the day of planning: what would have been due before it is due on it, because nobody
    can be late with what they have not been asked.
    """

    notice_date: date
    last_working_date: date
    access_end_at: datetime
    contract_end_date: date
    timezone: str
    country: str
    planned_on: date

    def due_at(self, rule: Due) -> datetime:
        """The moment by which a step with this rule is due, in UTC.

        A date stands for the end of its working day, 17:30 on the wall there. Hours count from the moment
        of the anchor; days and working days move the date and keep the hour.
        """
        if rule.anchor is Anchor.ACCESS_END:
            local = self.access_end_at.astimezone(ZoneInfo(self.timezone))
            day, wall, moment = local.date(), local.time(), self.access_end_at
        else:
            day, wall = self._date_of(rule.anchor), clock.DEFAULT_WORKDAY_END
            moment = clock.at_local(day, wall, self.timezone)
        if rule.offset and rule.unit is Unit.HOURS:
            moment += timedelta(hours=rule.offset)
        elif rule.offset:
            if rule.unit is Unit.WORKING_DAYS:
                day = clock.add_working_days(day, rule.offset, self.country)
            else:
                day += timedelta(days=rule.offset)
            moment = clock.at_local(day, wall, self.timezone)
        earliest = clock.at_local(self.planned_on, clock.DEFAULT_WORKDAY_END, self.timezone)
        if rule.anchor is Anchor.ACCESS_END and rule.offset >= 0:
            return moment  # the end of access is a fact, also when it has passed
        return max(moment, earliest)

    def _date_of(self, anchor: Anchor) -> date:
        return {
            Anchor.NOTICE: self.notice_date,
            Anchor.LAST_WORKING_DAY: self.last_working_date,
            Anchor.CONTRACT_END: self.contract_end_date,
        }[anchor]
