"""The forms of handing over. One page shows several of them."""

from __future__ import annotations

from typing import Any

from django import forms

from partwell.access.models import System, Transfer
from partwell.access.transfers import days
from partwell.access.transfers.states import HandedKind
from partwell.web.fields import DATE

KINDS = {
    HandedKind.MAILBOX: "Mailbox",
    HandedKind.AUTO_REPLY: "Automatic reply",
    HandedKind.FILES: "Files",
    HandedKind.CALENDAR: "Calendar",
    HandedKind.REPOSITORIES: "Repositories",
    HandedKind.GROUPS: "Groups that they own",
    HandedKind.OBJECTS: "Tables, schedules, rooms",
    HandedKind.TICKETS: "Tickets",
    HandedKind.OTHER: "Other",
}
AREA = forms.Textarea(attrs={"rows": 3})


class OneOfMany(forms.Form):
    """A form beside others on the same page: its fields have ids of their own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = f"id_{type(self).__name__.lower()}_%s"


class OpenForm(OneOfMany):
    """Something that has to be handed over."""

    kind = forms.ChoiceField(label="Kind", choices=[(k.value, words) for k, words in KINDS.items()])
    what = forms.CharField(
        label="What is it?", max_length=300, help_text="As people say it: “Tickets of the webshop team”."
    )
    system = forms.ChoiceField(label="In which system?", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        systems = [(each.name, each.title) for each in System.objects.filter(is_enabled=True)]
        self.fields["system"].choices = [("", "In none of them"), *systems]  # type: ignore[attr-defined]


class AllForm(OneOfMany):
    email = forms.EmailField(label="Successor’s e-mail address", help_text="A colleague in the register.")


class SuccessorForm(OneOfMany):
    """Who gets it; the fields that do not matter here are left out."""

    email = forms.EmailField(label="Successor’s e-mail address", help_text="A colleague in the register.")
    login = forms.CharField(
        label="What are they called in the system?",
        required=False,
        max_length=320,
        help_text="Only where that is not their e-mail address.",
    )
    ends_on = forms.DateField(label="Last day", required=False, widget=DATE)
    text = forms.CharField(
        label="What does the reply say?",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Whom to write to instead. Never why they left.",
    )

    def __init__(self, *args: Any, transfer: Transfer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if transfer.account is None:
            del self.fields["login"]
        if not transfer.is_for_a_time:
            del self.fields["ends_on"]
        else:
            latest = days.latest_last_day(transfer.departure)
            self.fields[
                "ends_on"
            ].help_text = f"A month after access ends is usual; {latest:%d %b %Y} at most."
        if transfer.kind != HandedKind.AUTO_REPLY:
            del self.fields["text"]


class AttestForm(OneOfMany):
    note = forms.CharField(
        label="What did you do, and where does the successor find it?", max_length=2000, widget=AREA
    )
    link = forms.CharField(label="Web address of the proof", required=False, max_length=1000)


class LeaveForm(OneOfMany):
    reason = forms.CharField(label="Why does nobody need it?", max_length=2000, widget=AREA)


class AcceptForm(OneOfMany):
    note = forms.CharField(
        label="Anything to note?", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


class MissingForm(OneOfMany):
    note = forms.CharField(label="What is missing?", max_length=2000, widget=AREA)


class EndForm(OneOfMany):
    note = forms.CharField(label="How can one see that they have it no more?", max_length=2000, widget=AREA)


class MailboxForm(OneOfMany):
    note = forms.CharField(
        label="How can one see that it is deleted, or why does it stay?", max_length=2000, widget=AREA
    )
