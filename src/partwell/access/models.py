"""Connected systems, the accounts found in them, plans with their changes and runs, and alerts."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from partwell.access.states import (
    SETTLED,
    SLA_MINUTES,
    AccessState,
    Authority,
    CutState,
    Link,
    PlanKind,
    PlanState,
    QuestionKind,
    QuestionState,
    RunState,
    SlaClass,
)
from partwell.departures.models import choices


class System(models.Model):
    """One place where people have accounts. `settings` hold references to secrets, never secrets.

    `without` names capabilities that the connector has and this installation does not use here; what they
    would do becomes a task for a person.
    """

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    connector = models.CharField(max_length=60)
    settings = models.JSONField(default=dict)
    without = models.JSONField(default=list)
    sla_class = models.CharField(max_length=10, choices=choices(SlaClass), default=SlaClass.NORMAL)
    time_limit_seconds = models.FloatField(default=20)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title

    @property
    def sla_minutes(self) -> int:
        """Minutes after access end within which access here has to be gone."""
        return SLA_MINUTES[SlaClass(self.sla_class)]


class AccountRecord(models.Model):
    """One account of the leaver in one system, as last read.

    An empty `external_id` stands for a system that could not be asked, or that only a person can.
    `snapshot` is the state before our first write; it stays until the account has been restored.
    `revoked_at` is when all access here was proven gone. A later plan that finds it so leaves it as it is; it
    is empty again once access was found there or given back.
    """

    departure = models.ForeignKey(
        "departures.Departure", on_delete=models.CASCADE, related_name="access_accounts"
    )
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="accounts")
    external_id = models.CharField(max_length=400, blank=True)
    login = models.CharField(max_length=320, blank=True)
    display_name = models.CharField(max_length=320, blank=True)
    matched_by = models.CharField(max_length=60, blank=True)
    is_active = models.BooleanField(null=True, blank=True)
    is_protected = models.BooleanField(default=False)
    open_sessions = models.PositiveIntegerField(null=True, blank=True)
    entitlements = models.JSONField(default=list)
    link = models.CharField(max_length=10, choices=choices(Link), default=Link.UNDECIDED, blank=True)
    state = models.CharField(max_length=12, choices=choices(AccessState), default=AccessState.PLANNED)
    reason = models.TextField(blank=True)
    snapshot = models.JSONField(null=True, blank=True)
    snapshot_taken_at = models.DateTimeField(null=True, blank=True)
    last_read_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["system__name", "login", "pk"]
        constraints = [
            models.UniqueConstraint("departure", "system", "external_id", name="account_once_per_departure")
        ]
        indexes = [models.Index(fields=["state"], name="account_by_state")]

    def __str__(self) -> str:
        return f"{self.login or self.external_id or '(unknown)'} in {self.system}"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do here."""
        return self.state in SETTLED


class Cut(models.Model):
    """One order of the kill switch: these departures, now or at `fire_at`, by one person's word, or by two
    where it is many. Whoever reviews it afterwards is another person than the one who ordered it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=200)
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=choices(CutState))
    departures = models.ManyToManyField("departures.Departure", related_name="access_cuts")
    ordered_by = models.CharField(max_length=300)
    ordered_by_id = models.BigIntegerField(null=True, blank=True)
    ordered_at = models.DateTimeField()
    approved_by = models.CharField(max_length=300, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    fire_at = models.DateTimeField(null=True, blank=True)
    fired_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    review_due_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.CharField(max_length=300, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review_note = models.TextField(blank=True)

    class Meta:
        ordering = ["-ordered_at", "pk"]
        indexes = [models.Index(fields=["state", "review_due_at"], name="cut_to_review")]

    def __str__(self) -> str:
        return self.title


class Plan(models.Model):
    """One version of what is to be done for a departure. What people approve is its checksum.

    `answers` says per system name what asking it gave: `found`, `none`, `ambiguous`, `manual`,
    `unreachable` (never to be read as `none`), with the reason.
    """

    departure = models.ForeignKey(
        "departures.Departure", on_delete=models.CASCADE, related_name="access_plans"
    )
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=choices(PlanKind), default=PlanKind.FULL)
    state = models.CharField(max_length=12, choices=choices(PlanState), default=PlanState.PROPOSED)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="deltas")
    checksum = models.CharField(max_length=64)
    answers = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    cut = models.ForeignKey("Cut", null=True, blank=True, on_delete=models.PROTECT, related_name="plans")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=300)
    requested_by_id = models.BigIntegerField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=300, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["departure", "-version"]
        constraints = [models.UniqueConstraint("departure", "version", name="plan_version_once")]

    def __str__(self) -> str:
        return f"access plan {self.version} of {self.departure}"


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


class Question(models.Model):
    """Something that a person asked of systems from a page, and that the engine asks for them, because a
    slow system must not hold up the page. What came of it is the plan, the reading or the test itself;
    `answer` says in a sentence how it ended."""

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
    delete_in = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=choices(QuestionState), default=QuestionState.OPEN)
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


class Alert(models.Model):
    """Something that people must be told, until it is resolved. `key` keeps one from being raised twice."""

    departure = models.ForeignKey(
        "departures.Departure", on_delete=models.CASCADE, related_name="access_alerts"
    )
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120, blank=True)
    text = models.TextField()
    raised_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-raised_at", "pk"]
        constraints = [models.UniqueConstraint("departure", "kind", "key", name="alert_once")]
        indexes = [models.Index(fields=["resolved_at", "raised_at"], name="alert_open")]

    def __str__(self) -> str:
        return self.text[:80]

    def as_dict(self) -> dict[str, Any]:
        """The shape that faces show."""
        return {"kind": self.kind, "text": self.text, "raised_at": self.raised_at.isoformat()}
