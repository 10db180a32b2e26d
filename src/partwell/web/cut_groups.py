"""The kill switch for a group: whom a list or a filter means, one look at all of them, then the order."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from partwell import clock
from partwell.access.models import System
from partwell.access.operations.cuts import ALONE, LARGEST, Stages
from partwell.journeys.groups import Group, read_group, read_lines, time_to_cut
from partwell.journeys.operations.following import Ahead, ahead_of_a_cut
from partwell.journeys.operations.shutting_out import shut_out
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.people.models import Person
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web.fields import MOMENT, TypedWordForm
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

SHOWN = 200


class GroupForm(forms.Form):
    """Who is meant: a list, a file, a filter, or all of these together."""

    who = forms.CharField(
        label="A list",
        required=False,
        strip=False,
        max_length=400_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="One per line: an e-mail address, an employee number, or a client’s reference or name.",
    )
    file = forms.FileField(
        label="A file",
        required=False,
        help_text="CSV or plain text. The first cell of each line says who.",
    )
    department = forms.ChoiceField(label="Everybody in a department", required=False)
    employment_type = forms.ChoiceField(label="Everybody of a kind of employment", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("department", "employment_type"):
            known = Person.objects.filter(left_on_date=None).exclude(**{name: ""})
            values = known.order_by(name).values_list(name, flat=True).distinct()
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
            field.choices = [("", "Nobody"), *((value, value) for value in values)]

    def lines(self) -> list[tuple[int, str]]:
        """What the list and the file say. Raises `Invalid` for a file that is no text."""
        upload = self.cleaned_data.get("file")
        return read_lines(self.cleaned_data["who"].encode()) + (read_lines(upload.read()) if upload else [])


class OrderForm(TypedWordForm):
    """Why, when, how many at a time; and the words that guard against a mistake."""

    reason = forms.CharField(
        label="Why can it not wait?",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="Whoever approves and reviews it reads this. It is kept as evidence, with your name.",
    )
    fire_at = forms.DateTimeField(
        label="At a time",
        required=False,
        widget=MOMENT,
        help_text="Left empty, it happens as soon as it may.",
    )
    stage_size = forms.IntegerField(
        label="How many at a time",
        required=False,
        min_value=1,
        max_value=LARGEST,
        help_text="The next begin when these are done. Left empty, all at once.",
    )
    hold_above_percent = forms.IntegerField(
        label="Hold it by itself above",
        required=False,
        min_value=0,
        max_value=100,
        help_text="Per cent of a stage’s accounts that failed or gave no answer. Then somebody has to look.",
    )
    word = forms.CharField(max_length=60)
    mistake = "that is how many it would be."


@require_http_methods(["GET", "HEAD", "POST"])
def group(request: HttpRequest) -> HttpResponse:
    """Say who is meant, look at them, order. The second factor is asked for before anything is typed."""
    actor = actor_of(request)
    check_office(actor, "access.shut_out")
    form = GroupForm(request.POST or None, request.FILES or None)
    if request.method != "POST":
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        found = _read(form, actor)
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _page(request, form, status=refusal.status)
    if not found.size and not found.problems:
        form.add_error(None, "Nobody is meant by this. Name somebody, or choose a filter.")
        return _page(request, form, found=found, status=422)
    if "order" not in request.POST or found.problems:
        return _page(request, form, found=found, status=422 if found.problems else 200)
    return _order(request, form, found, actor)


def _read(form: GroupForm, actor: Actor) -> Group:
    return read_group(
        form.lines(),
        department=form.cleaned_data["department"],
        employment_type=form.cleaned_data["employment_type"],
        actor=actor,
        now=clock.now(),
    )


def _order(request: HttpRequest, form: GroupForm, found: Group, actor: Actor) -> HttpResponse:
    order = OrderForm(request.POST, wanted=_words(found))
    if request.POST.get("digest") != found.digest:
        order.add_error(None, "The registers have changed since you looked. Look at the list once more.")
    if order.is_valid():
        given = order.cleaned_data
        try:
            cut = shut_out(
                people=found.people,
                clients=found.clients,
                reason=given["reason"],
                fire_at=given["fire_at"],
                stages=Stages(given["stage_size"], given["hold_above_percent"]),
                actor=actor,
                now=clock.now(),
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(order, refusal)
            return _page(request, form, found=found, order=order, status=refusal.status)
        return HttpResponseRedirect(reverse("web:cut", args=[cut.pk]))
    return _page(request, form, found=found, order=order, status=422)


def _words(found: Group) -> str:
    return f"shut out {found.size}"


def _page(
    request: HttpRequest,
    form: GroupForm,
    *,
    found: Group | None = None,
    order: OrderForm | None = None,
    status: int = 200,
) -> HttpResponse:
    if found is not None and order is None:
        defaults = {"stage_size": 50, "hold_above_percent": 20} if found.size > ALONE else {}
        order = OrderForm(initial=defaults, wanted=_words(found))
    context: dict[str, Any] = {
        "form": form,
        "found": found,
        "order": order,
        "words": _words(found) if found else "",
        "who": "\n".join(_lines_again(form)) if found else "",
        "members": [*found.people, *found.clients][:SHOWN] if found else [],
        "more": max(found.size - SHOWN, 0) if found else 0,
        "needs_second": found is not None and found.size > ALONE,
        "takes": time_to_cut(found) if found else None,
        "ahead": _ahead(request, found) if found else [],
        "systems": System.objects.filter(is_enabled=True).count(),
        "crumbs": [{"title": "Access", "url": reverse("web:access_overview")}, {"title": "Kill switch"}],
    }
    return render(request, "cuts/group.html", context, status=status)


def _ahead(request: HttpRequest, found: Group) -> list[Ahead]:
    return ahead_of_a_cut(
        people=found.people, clients=found.clients, actor=actor_of(request), now=clock.now()
    )[:SHOWN]


def _lines_again(form: GroupForm) -> list[str]:
    """The list and the file as one list, because a browser does not send a file twice."""
    upload = form.cleaned_data.get("file")
    if upload:
        upload.seek(0)
    return [text for _, text in form.lines()]
