"""Template versions, journeys and their steps."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models

from partwell.departures.models import choices
from partwell.departures.states import Confidentiality
from partwell.journeys.rounds.states import MemberState, RoundState
from partwell.journeys.states import JourneyState, StepState
from partwell.journeys.template.model import PHASES, EvidenceKind, StepKind, Visibility
from partwell.people.roles import ROLE_LABELS


class TemplateVersion(models.Model):
    """One published version of a template; never changed, never deleted while a journey pins it."""

    template_id = models.CharField(max_length=60)
    version = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=140)
    audience = models.CharField(max_length=10)
    source = models.TextField()
    published_at = models.DateTimeField()
    published_by = models.CharField(max_length=300)

    class Meta:
        ordering = ["template_id", "-version"]
        constraints = [models.UniqueConstraint("template_id", "version", name="template_version_once")]

    def __str__(self) -> str:
        return f"{self.template_id} v{self.version}"


class TemplateUpkeep(models.Model):
    """Who answers for a template, whatever its version, and when somebody last read it and said that it still
    holds. One per template id; without a row nobody does, and nobody did."""

    template_id = models.CharField(max_length=60, unique=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="owned_templates",
    )
    owner_name = models.CharField(max_length=200, blank=True)
    owned_since = models.DateTimeField(null=True, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.CharField(max_length=300, blank=True)
    reviewed_version = models.PositiveIntegerField(null=True, blank=True)
    review_note = models.TextField(blank=True)

    class Meta:
        ordering = ["template_id"]

    def __str__(self) -> str:
        return f"upkeep of {self.template_id}"


class TemplateDraft(models.Model):
    """A template while it is being written. There is one per template id; publishing or discarding ends it.

    `content` is a `DraftTemplate` as plain values. `revision` goes up with each change, so that whoever
    changes
    what somebody else has changed meanwhile is told.
    """

    template_id = models.CharField(max_length=60, unique=True)
    begun_from = models.ForeignKey(
        TemplateVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="drafts"
    )
    content = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    begun_at = models.DateTimeField()
    begun_by = models.CharField(max_length=300)
    edited_at = models.DateTimeField()
    edited_by = models.CharField(max_length=300)

    class Meta:
        ordering = ["template_id"]

    def __str__(self) -> str:
        return f"draft of {self.template_id}"


class DraftChange(models.Model):
    """What one change of a draft made of which value: `differences` are `Difference`s as plain values."""

    draft = models.ForeignKey(TemplateDraft, on_delete=models.CASCADE, related_name="changes")
    revision = models.PositiveIntegerField()
    differences = models.JSONField()
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=300)

    class Meta:
        ordering = ["-revision"]
        constraints = [models.UniqueConstraint("draft", "revision", name="draft_revision_once")]

    def __str__(self) -> str:
        return f"revision {self.revision} of {self.draft_id}"

    def as_dict(self) -> dict[str, Any]:
        """The change as the API and the command line show it."""
        return {
            "revision": self.revision,
            "changed_by": self.changed_by,
            "changed_at": self.changed_at.isoformat(),
            "differences": self.differences,
        }


class Journey(models.Model):
    """The process that carries one departure from notice to closure. It shares the departure's id."""

    departure = models.OneToOneField(
        "departures.Departure", primary_key=True, on_delete=models.CASCADE, related_name="journey"
    )
    template = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="journeys")
    template_digest = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=choices(JourneyState), default=JourneyState.ACTIVE)
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=300)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.TextField(blank=True)
    override_reason = models.TextField(blank=True)
    override_by_id = models.BigIntegerField(null=True, blank=True)
    override_by = models.CharField(max_length=300, blank=True)
    override_approved_by = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"journey of {self.departure}"


class Step(models.Model):
    """One thing to do, by one person, by a date.

    `waits_for` holds the keys of needed steps that are not settled yet; `state` follows from it. Both are
    written together, so that "what is mine and can be done now" is one indexed read.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The constraint below and an index begin with it, so that it needs none of its own.
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="steps", db_index=False)
    key = models.CharField(max_length=60)
    position = models.PositiveIntegerField()
    phase = models.PositiveSmallIntegerField(choices=list(PHASES.items()))
    title = models.CharField(max_length=140)
    guidance = models.TextField(blank=True)
    role = models.CharField(max_length=20, choices=[(r.value, label) for r, label in ROLE_LABELS.items()])
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="steps"
    )
    owner_name = models.CharField(max_length=200, blank=True)
    queue = models.CharField(max_length=140, blank=True)
    due_rule = models.CharField(max_length=60)
    due_at = models.DateTimeField()
    needs = models.JSONField(default=list)
    waits_for = models.JSONField(default=list)
    condition = models.CharField(max_length=500, blank=True)
    evidence = models.CharField(max_length=12, choices=choices(EvidenceKind), default=EvidenceKind.NONE)
    kind = models.CharField(max_length=20, choices=choices(StepKind), default=StepKind.TASK)
    visibility = models.CharField(max_length=12, choices=choices(Visibility), default=Visibility.INSIDE)
    is_required = models.BooleanField(default=True)
    is_own = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=choices(StepState), default=StepState.OPEN)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=300, blank=True)
    note = models.TextField(blank=True)
    link = models.URLField(max_length=1000, blank=True)
    skip_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["phase", "position", "pk"]
        constraints = [models.UniqueConstraint("journey", "key", name="step_key_once_per_journey")]
        indexes = [
            models.Index(fields=["owner", "state", "due_at", "id"], name="step_mine_by_due"),
            # Unclaimed steps alone: with the others in it, SQLite took a queue for most of the table, and
            # read the whole of it instead (220 ms of 600,000 steps).
            models.Index(
                fields=["queue", "state", "due_at", "id"],
                condition=models.Q(owner__isnull=True),
                name="step_queue_by_due",
            ),
            models.Index(fields=["state", "due_at"], name="step_by_due"),
            models.Index(
                fields=["settled_at"], condition=models.Q(state=StepState.SKIPPED), name="step_skipped_at"
            ),
            # All that lateness and phases of many journeys are counted from: the table itself, with the texts
            # of its steps, is many times as large.
            models.Index(
                fields=["journey", "phase", "state", "settled_at", "due_at", "role", "key", "is_own"],
                name="step_by_phase",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Comment(models.Model):
    """Something said about a step by somebody on the inside."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="comments")
    author = models.CharField(max_length=300)
    text = models.TextField()
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text[:60]


class Attachment(models.Model):
    """A stored file that serves as a step's evidence."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="attachments")
    file = models.ForeignKey("documents.StoredFile", on_delete=models.PROTECT, related_name="+")
    attached_by = models.CharField(max_length=300)
    attached_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.file)


class Round(models.Model):
    """Many departures that are prepared, approved and started together.

    `digest` names exactly what was prepared: the template's version, the terms, and everybody with their
    dates. `overview` is what the preparation found about owners and dates, as `rounds.preview` says it.
    `batch_size` people start on a working day, all at once where it is empty; the first when `starts_at` has
    come, or with the approval.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    template = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="rounds")
    reason = models.CharField(max_length=60, blank=True)
    notice_date = models.DateField(null=True, blank=True)
    jurisdiction = models.CharField(max_length=10, blank=True)
    confidentiality = models.CharField(max_length=20, choices=choices(Confidentiality))
    starts_at = models.DateTimeField(null=True, blank=True)
    batch_size = models.PositiveSmallIntegerField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=choices(RoundState), default=RoundState.PREPARED)
    digest = models.CharField(max_length=64)
    overview = models.JSONField(default=dict)
    prepared_by = models.CharField(max_length=300)
    prepared_by_id = models.BigIntegerField(null=True, blank=True)
    prepared_at = models.DateTimeField()
    approved_by = models.CharField(max_length=300, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    recalled_by = models.CharField(max_length=300, blank=True)
    recalled_at = models.DateTimeField(null=True, blank=True)
    recall_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-prepared_at", "pk"]

    def __str__(self) -> str:
        return self.name


class RoundMember(models.Model):
    """One person of a round, in the order of the list. `note` says why they were left out or not recalled,
    `outcome` what their recall leaves behind; `is_told` that the owners of their steps had their mail."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="members")
    position = models.PositiveIntegerField()
    person = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    name = models.CharField(max_length=200)
    email = models.EmailField()
    department = models.CharField(max_length=120, blank=True)
    last_working_date = models.DateField()
    notice_date = models.DateField(null=True, blank=True)
    reason = models.CharField(max_length=60, blank=True)
    steps = models.PositiveSmallIntegerField()
    batch = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=choices(MemberState), default=MemberState.WAITING)
    departure = models.OneToOneField(
        "departures.Departure", null=True, blank=True, on_delete=models.SET_NULL, related_name="round_member"
    )
    note = models.TextField(blank=True)
    outcome = models.JSONField(default=dict)
    is_told = models.BooleanField(default=False)

    class Meta:
        ordering = ["round", "position"]
        constraints = [
            models.UniqueConstraint("round", "position", name="round_position_once"),
            models.UniqueConstraint("round", "person", name="round_person_once"),
        ]
        indexes = [models.Index(fields=["round", "state", "position"], name="round_by_state")]

    def __str__(self) -> str:
        return self.name


class RoundParticipant(models.Model):
    """Somebody for whom a round exists, and as what; they take part in each of its departures."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="participants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    capacity = models.CharField(max_length=20)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint("round", "user", name="round_participant_once")]

    def __str__(self) -> str:
        return f"{self.user} as {self.capacity}"
