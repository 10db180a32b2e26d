"""Who answers for a template, and that somebody read it and it still holds."""

from __future__ import annotations

from datetime import datetime

from partwell.evidence.operations import record
from partwell.journeys.models import TemplateUpkeep
from partwell.journeys.template_queries import latest
from partwell.journeys.upkeep_queries import may_own
from partwell.people.actors import Actor, Channel
from partwell.people.authorisation import check_office, load_matrix, operation
from partwell.people.models import User
from partwell.refusals import Conflict, Invalid, NotAllowed

LEAST_NOTE, MOST_NOTE = 5, 2000


@operation("templates.set_owner")
def set_template_owner(*, template_id: str, to: User | None, actor: Actor, now: datetime) -> TemplateUpkeep:
    """Say who answers for a template, all its versions; nobody where `to` is None.

    Whoever owns it already keeps it, and nothing is recorded. Raises `NotFound` for a template that there is
    not, `Invalid` for somebody who cannot sign in or may not read templates.
    """
    check_office(actor, "templates.set_owner")
    latest(template_id)
    if to is not None and not to.is_active:
        raise Invalid("owner_inactive", f"{to} cannot sign in any more. Choose somebody else.", field="to")
    if to is not None and not may_own().filter(pk=to.pk).exists():
        raise Invalid(
            "owner_reads_none",
            f"{to} may not read templates. Give them a role first, or choose somebody else.",
            field="to",
        )
    found = TemplateUpkeep.objects.filter(template_id=template_id).first()
    if (found.owner_id if found else None) == (to.pk if to else None):
        return found or TemplateUpkeep(template_id=template_id)
    upkeep = _locked(template_id)
    before = upkeep.owner_name
    upkeep.owner, upkeep.owner_name = to, str(to) if to else ""
    upkeep.owned_since = now if to else None
    upkeep.save(update_fields=["owner", "owner_name", "owned_since"])
    record(
        "template.owner_set",
        scope="installation",
        actor=actor.label,
        at=now,
        fields={"template": template_id, "from": before, "to": upkeep.owner_name},
    )
    return upkeep


@operation("templates.confirm_review")
def confirm_template_review(
    *, template_id: str, version: int, note: str, actor: Actor, now: datetime
) -> TemplateUpkeep:
    """Say that one has read this version of a template and that it still holds.

    Its owner says so, or whoever may say who that is. Raises `NotFound`, `NotAllowed` (`not_the_owner`) for
    anybody else, `Conflict` (`version_replaced`) where another version has been published since, `Invalid`
    without a note.
    """
    check_office(actor, "templates.confirm_review")
    current = latest(template_id)
    upkeep = _locked(template_id)
    if not may_confirm(actor, upkeep):
        raise NotAllowed(
            "not_the_owner", "Its owner says that a template still holds, or whoever names the owner."
        )
    if version != current.version:
        raise Conflict(
            "version_replaced",
            f"You read version {version}, and version {current.version} is what journeys begin with now. "
            "Read that one.",
            field="version",
        )
    note = note.strip()
    if not LEAST_NOTE <= len(note) <= MOST_NOTE:
        raise Invalid(
            "note_missing",
            f"Say in a sentence what you looked at, in {LEAST_NOTE} to {MOST_NOTE} characters; the record "
            "keeps it.",
            field="note",
        )
    upkeep.reviewed_at, upkeep.reviewed_by = now, actor.label
    upkeep.reviewed_version, upkeep.review_note = version, note
    upkeep.save(update_fields=["reviewed_at", "reviewed_by", "reviewed_version", "review_note"])
    record(
        "template.reviewed",
        scope="installation",
        actor=actor.label,
        at=now,
        fields={"template": template_id, "version": version, "note": note},
    )
    return upkeep


def may_confirm(actor: Actor, upkeep: TemplateUpkeep | None) -> bool:
    """Whether this actor's word that a template holds counts: its owner's, or theirs who name owners."""
    namers = load_matrix().operations["templates.set_owner"].allow
    is_namer = actor.channel is Channel.CONSOLE or any(grant.role.value in namers for grant in actor.grants)
    is_owner = upkeep is not None and upkeep.owner_id is not None and upkeep.owner_id == actor.user_id
    return is_namer or is_owner


def _locked(template_id: str) -> TemplateUpkeep:
    TemplateUpkeep.objects.get_or_create(template_id=template_id)
    return TemplateUpkeep.objects.select_for_update().get(template_id=template_id)
