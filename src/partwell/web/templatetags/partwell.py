"""The parts that pages are made of. `tests/stories/components.html` shows each in use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django import template
from django.forms import BaseForm, BoundField, CheckboxInput, Select
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from partwell import clock
from partwell.web.nothing_here import say_nothing
from partwell.web.session import actor_of
from partwell.web.wording import (
    STATES,
    day_in_words,
    distance_in_words,
    initials,
    moment_in_words,
)

register = template.Library()


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of `static/vendor/icons.txt`; silent to screen readers unless it has a `label`."""
    if label:
        return format_html('<i class="ti ti-{}" role="img" aria-label="{}"></i>', name, label)
    return format_html('<i class="ti ti-{}" aria-hidden="true"></i>', name)


@register.simple_tag
def status(state: str, words: str = "", more: str = "", pill: bool = False) -> SafeString:
    """Glyph and words. Raises `ValueError` for a state outside the vocabulary, so that no mark lies."""
    if state not in STATES:
        raise ValueError(f"no such status: {state!r}")
    return format_html(
        '<span class="pw-status{}" data-state="{}"><span class="pw-glyph" aria-hidden="true"></span>'
        "<span>{}{}</span></span>",
        " pw-status--pill" if pill else "",
        state,
        words or STATES[state],
        format_html("<small>{}</small>", more) if more else "",
    )


@register.simple_tag
def glyph(state: str, label: str = "") -> SafeString:
    """The glyph alone, where words stand beside it already; or with a `label` for screen readers."""
    if state not in STATES:
        raise ValueError(f"no such status: {state!r}")
    if label:
        return format_html(
            '<span class="pw-glyph" data-state="{}" role="img" aria-label="{}"></span>', state, label
        )
    return format_html('<span class="pw-glyph" data-state="{}" aria-hidden="true"></span>', state)


_PIPS = {0: "not asked", 1: "asked", 2: "accepted, not read back", 3: "read back"}


@register.simple_tag
def pips(n: int, stopped: str = "") -> SafeString:
    """How far the proof got: asked, accepted, read back. `stopped` is `3` (refused) or `3c` (no answer)."""
    words = _PIPS[n] + (", then no answer" if stopped.endswith("c") else ", then refused" if stopped else "")
    mark = format_html(' data-x="{}"', stopped) if stopped else ""
    return format_html(
        '<span class="pw-pips" data-n="{}"{} role="img" aria-label="{}"><i></i><i></i><i></i></span>',
        n,
        mark,
        words,
    )


@register.inclusion_tag("web/includes/phase_line.html")
def phase_line(phases: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Ten linked stops. Each phase has `number`, `name`, `done`, `total` and may have `url`, `late`,
    `today`, `more` (one exception in words), `is_here`."""
    return {"phases": [_phase(phase) for phase in phases]}


@register.simple_tag
def phase_strip(phases: list[Mapping[str, Any]], words: str) -> SafeString:
    """The phase line's form for tables; `words` is what a screen reader says. Written out here, for a table
    draws hundreds of its stops: of whole numbers and words of ours alone, so that nothing needs escaping."""
    stops = "".join(f'<i data-p="{_percent(phase):d}" data-s="{_mark(phase)}"></i>' for phase in phases)
    return format_html(
        '<span class="pw-strip" role="img" aria-label="{}">{}</span>'
        '<small class="pw-strip__w" aria-hidden="true">{}</small>',
        words,
        mark_safe(stops),  # noqa: S308 (of whole numbers and words of ours)
        words,
    )


def _mark(phase: Mapping[str, Any]) -> str:
    return "late" if phase.get("late") else "done" if _is_settled(phase) else ""


def _percent(phase: Mapping[str, Any]) -> int:
    return 100 * int(phase["done"]) // int(phase["total"]) if phase["total"] else 0


def _is_settled(phase: Mapping[str, Any]) -> bool:
    return bool(phase["total"]) and phase["done"] == phase["total"]


def _phase(phase: Mapping[str, Any]) -> dict[str, Any]:
    begun = phase["done"] > 0 or bool(phase.get("is_here"))
    return {
        "url": f"#phase-{phase['number']}",
        **phase,
        "share": _percent(phase),
        "state": "done" if _is_settled(phase) else "now" if begun else "ahead",
    }


@register.inclusion_tag("web/includes/step_row.html")
def step_row(step: Mapping[str, Any]) -> dict[str, Any]:
    """One step. `state` (vocabulary), `title` and `role` are needed; `url`, `truth`, `waits_for`, `who`,
    `is_leaver`, `due`, `due_more`, `due_kind` (late, today), `says`, `is_done`, `is_off` may be given."""
    if step["state"] not in STATES:
        raise ValueError(f"no such status: {step['state']!r}")
    return {"says": STATES[step["state"]], **step}


@register.simple_tag
def face(name: str, kind: str = "", size: str = "") -> SafeString:
    """Initials in a circle; `kind` is `leaver` or `client`, `size` is `s` or `l`. Its name stands beside."""
    classes = "".join(f" pw-face--{part}" for part in (kind, size) if part)
    return format_html('<span class="pw-face{}" aria-hidden="true">{}</span>', classes, initials(name))


@register.simple_tag
def when(moment: datetime | None, zone: bool = True) -> SafeString | str:
    """A moment in the viewer's timezone, with the zone's name unless the page says it already."""
    if moment is None:
        return "–"
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        moment_in_words(local, with_zone=zone),
    )


@register.simple_tag
def day(value: date | datetime | None, year: bool = True, weekday: bool = True) -> SafeString | str:
    """A calendar date; a moment is read in the viewer's timezone."""
    if value is None:
        return "–"
    shown = _as_date(value)
    return format_html(
        '<time datetime="{}">{}</time>',
        shown.isoformat(),
        day_in_words(shown, with_year=year, with_weekday=weekday),
    )


@register.simple_tag
def distance(value: date | datetime | None, due: bool = False) -> str:
    """How far a date is from today in the viewer's timezone: “in 3 days”, “2 days late” when due."""
    if value is None:
        return ""
    return distance_in_words(_as_date(value), timezone.localdate(clock.now()), due=due)


@register.simple_tag
def due(value: date | datetime, is_settled: bool = False) -> SafeString:
    """A due date: late and today carry an icon and say so in words; a settled one is only a date. Written out
    here, as lists draw one in each line."""
    if is_settled:
        return format_html('<span class="pw-due">{}</span>', day(value, year=False))
    days = (_as_date(value) - timezone.localdate(clock.now())).days
    if days < 0:
        return format_html(
            '<span class="pw-due" data-due="late">{} {}<small>was due {}</small></span>',
            icon("alarm"),
            distance(value, due=True),
            day(value, year=False, weekday=False),
        )
    if days == 0:
        return format_html('<span class="pw-due" data-due="today">{} Today</span>', icon("clock"))
    return away(value)


@register.simple_tag
def away(value: date | datetime) -> SafeString:
    """A date, and under it how far it is from today; it may have passed without being late."""
    return format_html(
        '<span class="pw-due">{}<small>{}</small></span>', day(value, year=False), distance(value)
    )


def _as_date(value: date | datetime) -> date:
    return timezone.localdate(value) if isinstance(value, datetime) else value


@register.simple_tag
def url_if(name: str, *args: Any, **kwargs: Any) -> str:
    """The address of a page, or nothing where this installation has no such page."""
    try:
        return reverse(name, args=args, kwargs=kwargs)
    except NoReverseMatch:
        return ""


@register.inclusion_tag("web/includes/field.html")
def field(bound: BoundField, hint: str = "", label: str = "", **attrs: Any) -> dict[str, Any]:
    """Label, hint, control and the error under it; further attributes go to the control.

    `hint` and `label` replace what the form itself says.
    """
    widget = bound.field.widget
    is_check = isinstance(widget, CheckboxInput)
    kind = "form-check-input" if is_check else "form-select" if isinstance(widget, Select) else "form-control"
    hint = hint or str(bound.help_text)
    about = [f"{bound.id_for_label}-hint"] if hint else []
    shown: dict[str, Any] = {
        "class": kind,
        **{name.replace("_", "-"): value for name, value in attrs.items()},
    }
    if bound.errors:
        shown["class"] += " is-invalid"
        shown["aria-invalid"] = "true"
        about.insert(0, f"{bound.id_for_label}-error")
    # allauth labels some of its fields by placeholder alone; ours always have a label in words.
    widget.attrs.pop("placeholder", None)
    shown["aria-describedby"] = " ".join(about) or None
    control = bound.as_widget(attrs={name: value for name, value in shown.items() if value is not None})
    label = label or str(bound.label)
    return {"field": bound, "control": control, "hint": hint, "label": label, "is_check": is_check}


@register.inclusion_tag("web/includes/error_summary.html")
def error_summary(form: BaseForm) -> dict[str, Any]:
    """What to correct, on top of the form, each line leading to its field. Empty when all is well."""
    problems = [("", str(error)) for error in form.non_field_errors()]
    for bound in form:
        problems += [(bound.id_for_label, str(error)) for error in bound.errors]
    return {"problems": problems}


@register.simple_tag
def share(done: int, total: int, label: str) -> SafeString:
    """A bar that says how much is done; `label` says it in words for those who do not see it."""
    return format_html(
        '<progress class="pw-meter" max="{}" value="{}" aria-label="{}"></progress>', total or 1, done, label
    )


@register.inclusion_tag("web/includes/empty.html", takes_context=True)
def nothing(context: Mapping[str, Any], what: str, may: Any = None) -> dict[str, Any]:
    """An empty list of `nothing_here.NOTHING`, with the next step of whoever looks."""
    return say_nothing(what, actor_of(context["request"]), may=may)


@register.simple_tag
def brand() -> SafeString:
    """Two lines that part: the mark."""
    return mark_safe(
        '<svg viewBox="0 0 28 28" fill="none" aria-hidden="true"><path d="M8 25.5v-23" '
        'stroke="var(--pw-petrol)" stroke-width="4.4" stroke-linecap="round"/><path '
        'd="M15.2 25.5v-7.2c0-6.8 2.2-10.3 9-13" stroke="var(--pw-heather)" stroke-width="4.4" '
        'stroke-linecap="round"/></svg>'
    )
