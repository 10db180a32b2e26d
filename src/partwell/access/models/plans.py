"""Plans with their changes and runs, and questions that were asked of systems."""

from __future__ import annotations

from django.db import models

from partwell.access.models.accounts import AccountRecord
from partwell.access.models.cuts import Cut
from partwell.access.models.systems import System
from partwell.access.models.whose import OfADeparture
from partwell.access.states import (
    AccessState,
    Authority,
    PlanKind,
    PlanState,
    QuestionKind,
    QuestionState,
    RunState,
)
from partwell.departures.models import choices
from partwell.evidence.operations import departure_scope


class Plan(OfADeparture, models.Model):
    """One version of what is to be done for a departure, or to one account of nobody, which is its `ghost`.
    What people approve is its checksum.

    `answers` says per system name what asking it gave: `found`, `none`, `ambiguous`, `manual`,
    `unreachable` (never to be read as `none`), with the reason.
    """

    departure = models.ForeignKey(
        "departures.Departure", null=True, blank=True, on_delete=models.CASCADE, related_name="access_plans"
    )
    ghost = models.ForeignKey(
        "access.Ghost", null=True, blank=True, on_delete=models.PROTECT, related_name="plans"
    )
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=choices(PlanKind), default=PlanKind.FULL)
    state = models.CharField(max_length=12, choices=choices(PlanState), default=PlanState.PROPOSED)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="deltas")
    checksum = models.CharField(max_length=64)
    answers = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    cut = models.ForeignKey(Cut, null=True, blank=True, on_delete=models.PROTECT, related_name="plans")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=300)
    requested_by_id = models.BigIntegerField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=300, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["departure", "-version"]
        constraints = [
            models.UniqueConstraint("departure", "version", name="plan_version_once"),
            models.UniqueConstraint("ghost", "version", name="plan_version_once_per_ghost"),
            models.CheckConstraint(
                condition=models.Q(departure__isnull=True) ^ models.Q(ghost__isnull=True), name="plan_of_one"
            ),
        ]

    def __str__(self) -> str:
        return f"access plan {self.version} of {self.departure or self.ghost}"

    @property
    def scope(self) -> str:
        """Whose record tells of it: its departure's, or its system's where the account is nobody's."""
        if self.ghost is not None:
            return f"system:{self.ghost.system.name}"
        return departure_scope(self.its_departure_id)


class Change(models.Model):
    """One verb on one account. `is_current` is false once a later plan has replaced it.

    `verb` is empty where the whole account is a person's task. `expects` is what was seen when it was
    planned; `snapshot` in the account is what a restore uses. `came_back_at` is when something settled was
    read and was no longer so; empty again once it is settled again.
    """

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="changes")
    account = models.ForeignKey(AccountRecord, on_delete=models.CASCADE, related_name="changes")
    verb = models.CharField(max_length=24, blank=True)
    position = models.PositiveSmallIntegerField()
    reversibility = models.CharField(max_length=12, blank=True)
    expects = models.JSONField(default=dict)
    authority = models.CharField(max_length=14, choices=choices(Authority), blank=True)
    state = models.CharField(max_length=12, choices=choices(AccessState), default=AccessState.PLANNED)
    reason = models.TextField(blank=True)
    is_current = models.BooleanField(default=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    give_up_at = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    came_back_at = models.DateTimeField(null=True, blank=True)
    receipt = models.JSONField(null=True, blank=True)
    proof = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["account__system__name", "account__login", "position", "pk"]
        constraints = [models.UniqueConstraint("plan", "account", "verb", name="change_once_per_plan")]
        indexes = [models.Index(fields=["account", "is_current"], name="change_current")]

    def __str__(self) -> str:
        return f"{self.verb or 'by hand'}: {self.account}"


class SystemRun(models.Model):
    """One plan's run in one system. A process claims it for a short time and renews the claim at each call,
    so that two processes never work on the same account, and a dead one is followed by another."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="runs")
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="runs")
    state = models.CharField(max_length=10, choices=choices(RunState), default=RunState.RUNNING)
    reason = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=200, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["system__name", "pk"]
        constraints = [models.UniqueConstraint("plan", "system", name="run_once_per_system")]

    def __str__(self) -> str:
        return f"{self.plan} in {self.system}"


class DryRun(models.Model):
    """What a plan would send, as its systems were when they were asked. The newest of a plan counts.

    `systems` holds for each system what `dry_runs.Shown.as_dict` gives; secrets are never in it. `checksum`
    is the plan's at that time: a plan that has another now was not tried like this.
    """

    plan = models.OneToOneField(Plan, on_delete=models.CASCADE, related_name="dry_run")
    checksum = models.CharField(max_length=64)
    systems = models.JSONField(default=list)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=300)

    class Meta:
        ordering = ["-made_at", "pk"]

    def __str__(self) -> str:
        return f"dry run of {self.plan}"


class Question(models.Model):
    """Something that a person asked of systems from a page, and that the engine asks for them, because a
    slow system must not hold up the page. What came of it is the plan, the reading or the test itself;
    `progress` says how far it is, `answer` in a sentence how it ended."""

    kind = models.CharField(max_length=10, choices=choices(QuestionKind))
    departure = models.ForeignKey(
        "departures.Departure",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="access_questions",
    )
    system = models.ForeignKey(
        System, null=True, blank=True, on_delete=models.CASCADE, related_name="questions"
    )
    person = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.CASCADE, related_name="access_questions"
    )
    client = models.ForeignKey(
        "people.Client", null=True, blank=True, on_delete=models.CASCADE, related_name="access_questions"
    )
    delete_in = models.JSONField(default=list)
    release_in = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=choices(QuestionState), default=QuestionState.OPEN)
    progress = models.CharField(max_length=200, blank=True)
    answer = models.TextField(blank=True)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=300)
    asked_by_id = models.BigIntegerField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        indexes = [models.Index(fields=["state", "asked_at"], name="question_open")]

    def __str__(self) -> str:
        return f"{self.kind} asked by {self.asked_by}"
