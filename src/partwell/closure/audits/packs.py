"""The evidence pack of one sample: the draw, the population that it is of, and what happened to each person.

It is a pack like that of one departure, for an auditor, with the events of several; the verifier also draws
the sample again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from partwell.closure.audiences import GUARDED_FIELDS, Audience
from partwell.closure.audits.controls import load_controls
from partwell.closure.audits.samples import SCOPE, Drawn, SampleView, read_sample
from partwell.closure.audits.words import DOUBTS, STANDINGS
from partwell.closure.packs import as_json, gather, proofs_of, seal
from partwell.closure.page import render_sample
from partwell.evidence import queries, verifier
from partwell.evidence.heads import head_as_dict, head_text
from partwell.evidence.keys import group, load_signer
from partwell.evidence.models import Event, TreeHead
from partwell.evidence.operations import build, departure_scope, record_many
from partwell.evidence.sequencer import sequence_pending
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict

_OWN_KINDS = (verifier.SAMPLE_DRAWN, verifier.POPULATION_LISTED, "audit.sample_exported")


@dataclass
class SampleContent:
    """All that goes into the pack of one sample, read at one moment."""

    view: SampleView
    head: TreeHead
    exported_at: datetime
    events: list[dict[str, Any]] = field(default_factory=list)
    inclusion: dict[str, list[str]] = field(default_factory=dict)
    consistency: dict[str, dict[str, Any]] = field(default_factory=dict)
    events_left_out: int = 0
    files_left_out: int = 0


def export_sample(*, sample_id: UUID, actor: Actor, now: datetime) -> bytes:
    """The pack of a sample as a zip that verifies by itself, made for an auditor.

    Raises `NotAllowed`, `NotFound`, and `Conflict` while nothing is signed.
    """
    check_office(actor, "audits.export")
    sequence_pending(now=now)
    return write(read_sample_pack(sample_id=sample_id, actor=actor, now=now))


@operation("audits.export")
def read_sample_pack(*, sample_id: UUID, actor: Actor, now: datetime) -> SampleContent:
    """Read what the pack holds and record, in each departure too, that it is handed out."""
    check_office(actor, "audits.export")
    view = read_sample(sample_id, actor=actor, now=now, to="evidence.export")
    head = queries.head()
    if head is None:
        raise Conflict(
            "nothing_signed", "No event has been signed yet. Check that the worker runs, then export again."
        )
    content = SampleContent(view, head, now)
    _gather_draws(content)
    exported = {"audience": Audience.AUDITOR.value, "head": head_text(head)}
    handed_out = []
    for departure in (each.departure for each in view.people if each.departure):
        found = gather(
            departure=departure,
            audience=Audience.AUDITOR,
            head=head,
            hidden=frozenset(GUARDED_FIELDS),
            at=now,
        )
        content.events += found.events
        content.inclusion |= found.inclusion
        content.consistency |= found.consistency
        content.events_left_out += found.events_left_out
        content.files_left_out += found.files_left_out
        handed_out.append(
            build(
                "evidence.exported",
                scope=departure_scope(departure.pk),
                actor=actor.label,
                at=now,
                fields={**exported, "events": len(found.events)},
            )
        )
    total = build(
        "audit.sample_exported",
        scope=SCOPE,
        actor=actor.label,
        at=now,
        fields={"sample": str(sample_id), "head": head_text(head), "events": len(content.events)},
    )
    record_many([*handed_out, total])
    return content


def _gather_draws(content: SampleContent) -> None:
    """Every draw of the same period, and the populations that those were of: who drew again is seen."""
    sample = content.view.sample
    own = []
    for event in Event.objects.filter(scope=SCOPE, sequence__lt=content.head.size).order_by("sequence"):
        said = {name: kept.get("value") for name, kept in event.fields.items()}
        period = (sample.since.isoformat(), sample.until.isoformat())
        if event.kind not in _OWN_KINDS[:2] or (said["since"], said["until"]) == period:
            own.append(event)
    content.events += [
        {"id": str(event.pk), "sequence": event.sequence, "fields": _as_stored(event)} for event in own
    ]
    content.inclusion, content.consistency = proofs_of(SCOPE, own, content.head)


def _as_stored(event: Event) -> dict[str, Any]:
    return {
        name: kept if "value" in kept else {**kept, "state": "erased"} for name, kept in event.fields.items()
    }


def write(content: SampleContent) -> bytes:
    """The pack as a zip, its list of members signed."""
    view, sample = content.view, content.view.sample
    people = [person_dict(person, is_inside=False) for person in view.people]
    findings = {
        "v": 1,
        "sample": sample.as_dict(),
        "population_is_the_same": view.is_same,
        "controls": {
            "version": load_controls()[0],
            "list": [control.as_dict() for control in load_controls()[1]],
        },
        "people": people,
    }
    events = {
        "v": 1,
        "sample": str(sample.id),
        "audience": Audience.AUDITOR.value,
        "exported_at": content.exported_at.isoformat(),
        "events_left_out": content.events_left_out,
        "files": [],
        "files_left_out": content.files_left_out,
        "events": content.events,
    }
    proofs = {"v": 1, "inclusion": content.inclusion, "consistency": content.consistency}
    here = Path(__file__).parent
    members = {
        verifier.EVENTS: as_json(events),
        verifier.PROOFS: as_json(proofs),
        verifier.HEAD: as_json(head_as_dict(content.head)),
        "findings.json": as_json(findings),
        "verify.py": Path(verifier.__file__).read_bytes(),
        "README.txt": (here.parent / "sample_readme.txt").read_bytes(),
        "index.html": _page(content, people).encode(),
    }
    return seal(members, signer=load_signer())


def _page(content: SampleContent, people: list[dict[str, Any]]) -> str:
    sample = content.view.sample
    return render_sample(
        {
            "title": f"{len(sample.drawn)} leavers, {sample.since} to {sample.until}",
            "exported_at": f"{content.exported_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "head": head_text(content.head),
            "fingerprint": group(content.head.key_id),
            "sample": {
                **sample.as_dict(),
                "drawn_at": f"{sample.drawn_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            },
            "is_same": content.view.is_same,
            "count": len(content.events),
            "people": people,
        }
    )


def person_dict(person: Drawn, *, is_inside: bool) -> dict[str, Any]:
    """One of the people drawn with their controls. Names and what people wrote stay inside."""
    doubts = person.leaver.doubts if person.leaver else ()
    found: dict[str, Any] = {
        "ref": person.ref,
        "in_population": person.leaver is not None,
        "departure": str(person.departure.pk) if person.departure else None,
        "doubts": [DOUBTS[doubt] for doubt in doubts],
        "controls": [
            {
                "id": control.id,
                "standard": control.standard,
                "standing": finding.standing.value,
                "words": STANDINGS[finding.standing],
                "says": finding.says,
                **({"reason": finding.reason} if is_inside else {}),
            }
            for control, finding in person.findings
        ],
    }
    if is_inside:
        found["name"] = person.leaver.name if person.leaver else ""
    return found
