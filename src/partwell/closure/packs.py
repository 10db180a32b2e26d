"""From rows to a zip: the members of an evidence pack, and their one spelling on disk.

`gather` reads the database; `write` needs it no more. The zip is deterministic (fixed dates, fixed order,
nothing compressed), so that the same record exported twice gives the same bytes but for the moment.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from partwell.closure.audiences import Audience, is_other_side, shows_event, shows_field
from partwell.closure.page import render_page
from partwell.departures.addresses import own_addresses
from partwell.departures.guests import GUEST_MARK
from partwell.departures.models import Departure
from partwell.evidence import queries, verifier
from partwell.evidence.heads import head_as_dict
from partwell.evidence.keys import Signer
from partwell.evidence.leaf import digest_of
from partwell.evidence.models import Event, TreeHead
from partwell.evidence.operations import departure_scope
from partwell.evidence.tree import (
    complete_subtrees,
    consistency_ranges,
    hashes_of,
    inclusion_ranges,
    position,
)
from partwell.journeys.models import Attachment, Step
from partwell.journeys.template.model import Visibility

# After these the head was printed for somebody to keep.
EXPORTED = ("evidence.exported", "audit.sample_exported")
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PackedFile:
    """An attached file as the pack names it; `is_there` is false while its bytes have not been read, and when
    they are gone or are not those that were attached."""

    member: str
    name: str
    step: str
    sha256: str
    source: Path
    is_there: bool = False


@dataclass
class PackContent:
    """All that goes into one pack, read at one moment."""

    departure: Departure
    audience: Audience
    exported_at: datetime
    head: TreeHead
    events: list[dict[str, Any]] = field(default_factory=list)
    inclusion: dict[str, list[str]] = field(default_factory=dict)
    consistency: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: list[PackedFile] = field(default_factory=list)
    files_left_out: int = 0
    events_left_out: int = 0


def gather(
    *, departure: Departure, audience: Audience, head: TreeHead, hidden: frozenset[str], at: datetime
) -> PackContent:
    """Read what a pack for this audience holds, with a proof to `head` for every event."""
    content = PackContent(departure, audience, at, head)
    own = list(
        Event.objects.filter(scope=departure_scope(departure.pk), sequence__lt=head.size).order_by("sequence")
    )
    steps = Step.objects.filter(journey_id=departure.pk, visibility=Visibility.EVERYBODY)
    for_all = frozenset(str(each) for row in steps.values_list("pk", "key") for each in row)
    outside = own_addresses(departure)
    own_steps = set(Step.objects.filter(journey_id=departure.pk, is_own=True).values_list("key", flat=True))
    shown = []
    for event in own:
        said = {name: value["value"] for name, value in event.fields.items() if "value" in value}
        if shows_event(audience, event.kind, said, for_all):
            shown.append(event)
            withheld = {"title"} if said.get("step") in own_steps else set()
            if _is_outsider(str(said.get("actor", "")), outside):
                withheld.add("actor")
            content.events.append(_pack_event(event, audience, hidden, frozenset(withheld)))
    content.events_left_out = len(own) - len(shown)
    _gather_proofs(content, shown)
    _gather_files(content)
    return content


def _is_outsider(actor: str, addresses: set[str]) -> bool:
    """Whether the record's word for who acted means a guest, or the one who leaves."""
    return actor.endswith(GUEST_MARK) or any(f"<{address}>" in actor.lower() for address in addresses)


def _pack_event(
    event: Event, audience: Audience, hidden: frozenset[str], withheld: frozenset[str]
) -> dict[str, Any]:
    fields = {}
    for name, stored in event.fields.items():
        if "value" not in stored:
            fields[name] = {"digest": digest_of(stored), "state": "erased"}
        elif shows_field(audience, event.kind, name, hidden, withheld=withheld):
            fields[name] = {"salt": stored["salt"], "value": stored["value"]}
        else:
            fields[name] = {"digest": digest_of(stored), "state": "left out"}
    return {"id": str(event.pk), "sequence": event.sequence, "fields": fields}


def _gather_proofs(content: PackContent, shown: list[Event]) -> None:
    found = proofs_of(departure_scope(content.departure.pk), shown, content.head)
    content.inclusion, content.consistency = found


def proofs_of(
    scope: str, shown: list[Event], head: TreeHead
) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """An inclusion proof per event; and a consistency proof from every head that somebody may have kept:
    the first one over each event of the scope (closing prints one of these) and those printed at exports."""
    size = head.size
    sequences = {str(event.pk): event.sequence for event in shown if event.sequence is not None}
    sizes = list(TreeHead.objects.filter(size__lt=size).order_by("size").values_list("size", flat=True))
    own = Event.objects.filter(scope=scope, sequence__lt=size)
    old = {
        _first_over(sizes, sequence)
        for sequence in own.values_list("sequence", flat=True)
        if sequence is not None
    }
    old |= {_exported_size(event) for event in own.filter(kind__in=EXPORTED)}
    wanted = {each for each in old if each and each < size}
    ranges = {f"in {key}": inclusion_ranges(sequence, size) for key, sequence in sequences.items()}
    ranges |= {f"old {each}": consistency_ranges(each, size) for each in wanted}
    needed = {position(*node) for each in ranges.values() for one in each for node in complete_subtrees(*one)}
    nodes = queries.read_nodes(sorted(needed))
    proofs = {
        key: [digest.hex() for digest in hashes_of(each, lambda _: nodes)] for key, each in ranges.items()
    }
    roots = TreeHead.objects.in_bulk(sorted(wanted))
    consistency = {
        str(each): {"root": bytes(roots[each].root).hex(), "proof": proofs[f"old {each}"]}
        for each in sorted(wanted)
        if each in roots
    }
    return {key: proofs[f"in {key}"] for key in sequences}, consistency


def _first_over(sizes: list[int], sequence: int) -> int:
    """The size of the first head that covers `sequence`; 0 when only the latest does."""
    at = bisect_right(sizes, sequence)
    return sizes[at] if at < len(sizes) else 0


def _exported_size(event: Event) -> int:
    said = event.fields.get("head", {}).get("value", "")
    return int(said.split(":")[0]) if said else 0


def _gather_files(content: PackContent) -> None:
    attached = Attachment.objects.filter(step__journey_id=content.departure.pk).select_related("file", "step")
    for number, each in enumerate(attached.order_by("attached_at", "pk"), start=1):
        is_for_all = each.step.visibility == Visibility.EVERYBODY
        if content.audience is Audience.AUDITOR or (is_other_side(content.audience) and not is_for_all):
            content.files_left_out += 1
            continue
        digest = each.file.sha256
        source = Path(settings.MEDIA_ROOT) / digest[:2] / digest
        plain = re.sub(r"[^A-Za-z0-9.-]+", "-", each.file.name).strip("-.")[-80:] or "file"
        content.files.append(
            PackedFile(
                member=f"files/{number:03d}-{plain}",
                name=each.file.name,
                step=each.step.title,
                sha256=digest,
                source=source,
            )
        )


def write(content: PackContent, *, signer: Signer) -> bytes:
    """The pack as a zip, its list of members signed."""
    bodies = {each.member: body for each in content.files if (body := _read(each)) is not None}
    files = [replace(each, is_there=each.member in bodies) for each in content.files]
    return seal(_members(replace(content, files=files)) | bodies, signer=signer)


def seal(members: dict[str, bytes], *, signer: Signer) -> bytes:
    """The members as a zip, with the signed list of them."""
    manifest = as_json(
        {"v": 1, "members": {name: hashlib.sha256(body).hexdigest() for name, body in members.items()}}
    )
    signature = signer.sign(b"partwell pack manifest\n" + manifest).hex().encode()
    members |= {verifier.MANIFEST: manifest, verifier.SIGNATURE: signature}
    return zip_members(members)


def _read(file: PackedFile) -> bytes | None:
    """The file's bytes; None when they are not there or not those that were attached."""
    try:
        body = file.source.read_bytes()
    except OSError:
        return None
    return body if hashlib.sha256(body).hexdigest() == file.sha256 else None


def zip_members(members: Mapping[str, bytes]) -> bytes:
    """A zip with these members, the same bytes every time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, members[name])
    return target.getvalue()


def _members(content: PackContent) -> dict[str, bytes]:
    head = head_as_dict(content.head)
    events = {
        "v": 1,
        "departure": str(content.departure.pk),
        "audience": content.audience.value,
        "exported_at": content.exported_at.isoformat(),
        "events_left_out": content.events_left_out,
        "files": [
            {"member": each.member, "name": each.name, "sha256": each.sha256, "is_there": each.is_there}
            for each in content.files
        ],
        "files_left_out": content.files_left_out,
        "events": content.events,
    }
    return {
        verifier.EVENTS: as_json(events),
        verifier.PROOFS: as_json(
            {"v": 1, "inclusion": content.inclusion, "consistency": content.consistency}
        ),
        verifier.HEAD: as_json(head),
        "verify.py": Path(verifier.__file__).read_bytes(),
        "README.txt": Path(__file__).with_name("pack_readme.txt").read_bytes(),
        "index.html": render_page(content).encode(),
    }


def as_json(value: Any) -> bytes:
    """A member that programs read, spelt the same every time."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
