"""Publishing templates: a checked text becomes an immutable, numbered version."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from partwell.evidence.operations import record
from partwell.journeys.models import TemplateVersion
from partwell.journeys.template.check import parse, read
from partwell.journeys.template.digest import digest_of
from partwell.journeys.template.library import library_files
from partwell.journeys.template.model import Template
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict, Invalid

LIBRARY_ACTOR = engine_actor("template library")
_SHOWN_PROBLEMS = 5
_ATTEMPTS = 5


@operation("templates.publish")
def publish_template(*, text: str, actor: Actor, now: datetime, file: str = "template") -> TemplateVersion:
    """Publish `text` as the next version of its template; `file` names it in messages.

    Content that is already the latest version is returned as that version, unchanged; layout and comments
    are no content. Journeys that run keep the version they began with.

    Raises `Invalid` (`template_broken`) with the problems found, `Conflict` (`template_superseded`) when the
    content equals an older version that a later one has replaced.
    """
    check_office(actor, "templates.publish")
    return publish_checked(checked(text, file), text, actor, now)


def sync_library(*, now: datetime) -> list[TemplateVersion]:
    """Publish what the library has and the installation has not; at first start and after each upgrade.

    A template whose latest version somebody here published is left alone: an upgrade never overrides what
    a firm wrote itself. Returns the versions that are new; called again, none.
    """
    made = []
    for path in library_files():
        text = path.read_text(encoding="utf-8")
        template = parse(text)
        digest = digest_of(template)
        if TemplateVersion.objects.filter(digest=digest).exists():
            continue
        latest = TemplateVersion.objects.filter(template_id=template.id).first()
        if latest is not None and latest.published_by != LIBRARY_ACTOR.label:
            continue
        made.append(publish_template(text=text, actor=LIBRARY_ACTOR, now=now, file=path.name))
    return made


def checked(text: str, file: str) -> Template:
    """The template of a text. Raises `Invalid` (`template_broken`) with its problems."""
    template, problems = read(text, file=file)
    if template is None or problems:
        shown = "\n".join(str(problem) for problem in problems[:_SHOWN_PROBLEMS])
        more = len(problems) - _SHOWN_PROBLEMS
        if more > 0:
            shown += f"\n… and {more} more; “partwell templates check {file}” lists all."
        raise Invalid("template_broken", f"Nothing was published.\n{shown}", field=problems[0].field)
    return template


def publish_checked(template: Template, text: str, actor: Actor, now: datetime) -> TemplateVersion:
    """Store a checked text as the next version, in the transaction of the operation that calls this."""
    digest = digest_of(template)
    for attempt in range(_ATTEMPTS):
        latest = TemplateVersion.objects.filter(template_id=template.id).first()
        if latest is not None and latest.digest == digest:
            return latest
        older = TemplateVersion.objects.filter(digest=digest).first()
        if older is not None and latest is not None:
            raise Conflict(
                "template_superseded",
                f"This is version {older.version} again, which version {latest.version} has replaced. "
                "Change something in it, the summary say, to publish it as a new version.",
                field="id",
            )
        try:
            with transaction.atomic():
                return _create(template, digest, latest, text, actor, now)
        except IntegrityError:
            # Somebody published at the same moment and took the number: look again, theirs may be ours.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the loop above returns or raises")


def _create(
    template: Template,
    digest: str,
    latest: TemplateVersion | None,
    text: str,
    actor: Actor,
    now: datetime,
) -> TemplateVersion:
    version = TemplateVersion.objects.create(
        template_id=template.id,
        version=latest.version + 1 if latest else 1,
        digest=digest,
        title=template.title,
        audience=template.audience.value,
        source=text,
        published_at=now,
        published_by=actor.label,
    )
    record(
        "template.published",
        scope="installation",
        actor=actor.label,
        at=now,
        fields={
            "template": version.template_id,
            "version": version.version,
            "digest": digest,
            "replaces": latest.digest if latest else "",
        },
    )
    return version
