"""What each kind of evidence event says, as a sentence: its mark on the timeline, and the words.

Marks: `verified` only for what was read back, refused or signed; `failed` for what people must look at;
`unreachable` for what is unknown; `accepted` for everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from partwell.access.alerts import DOING
from partwell.closure.audiences import AUDIENCE_LABELS, Audience
from partwell.web.first_run_sentences import FIRST_RUN
from partwell.web.journey_sentences import JOURNEYS, counted
from partwell.web.round_sentences import ROUNDS
from partwell.web.transfer_sentences import TRANSFERS

Sentence = Callable[[str, dict[str, Any]], str]

_VERBS = {**{verb.value: doing for verb, doing in DOING.items()}, "": "the work by hand"}


def _what(f: dict[str, Any]) -> str:
    """One effect on one account: “blocking sign-in for ada in Customer base”."""
    doing = _VERBS.get(f["verb"], str(f["verb"]))
    return f"{'putting back ' if f.get('restores') else ''}{doing} for {_account(f)}"


def _account(f: dict[str, Any]) -> str:
    """Whose account it is, by its login; events from before logins were kept have the id alone."""
    return f"{f.get('login') or f['account']} in {_system(f)}" if f["account"] else _system(f)


_FOUND = {
    "came_back": "was cut, and is active again",
    "still_used": "was used after access had ended",
    "never_known": "is active, and no departure knew of it",
    "suggested": "is of nobody, and spelled almost as theirs",
    "nobodys": "is of nobody who is here or has left",
}


_GHOSTS: dict[str, tuple[str, Sentence]] = {
    "found": ("failed", lambda who, f: f"{_account(f)} {_FOUND.get(f['ghost'], 'should not be as it is')}"),
    "cut": ("accepted", lambda who, f: f"{who} had the ghost account {_account(f)} cut"),
    "dismissed": ("accepted", lambda who, f: f"{who} says that {_account(f)} is no ghost: {f['note']}"),
    "assigned": ("accepted", lambda who, f: f"{who} gave the ghost account {_account(f)} to {f['to']}"),
    "gone": ("verified", lambda who, f: f"{_account(f)} is no ghost any more. {f['note']}"),
}


_NOBODYS: dict[str, tuple[str, Sentence]] = {
    "said_whose": ("accepted", lambda who, f: f"{who} says that {_account(f)} is {f['person']}’s"),
    "kept": (
        "accepted",
        lambda who, f: (
            f"{who} says that {_account(f)} is a service account: {f['note']} {f['owner']} answers for it "
            f"until {f['review']}"
        ),
    ),
    "again": ("failed", lambda who, f: f"{_account(f)} is on the list again. {f['note']}"),
    "cut_proposed": (
        "accepted",
        lambda who, f: f"{who} proposed that {_account(f)} is cut, plan {f['plan']}: {f['reason']}",
    ),
    "looked_at": ("accepted", lambda who, f: _looked_at(f)),
    "cut_approved": (
        "verified",
        lambda who, f: f"{who} approved as a second person that {_account(f)} is cut, plan {f['plan']}",
    ),
    "cut_called_off": (
        "accepted",
        lambda who, f: f"{who} took back that {_account(f)} is cut, plan {f['plan']}",
    ),
    "cut_drifted": (
        "failed",
        lambda who, f: f"{_account(f)} is not as plan {f['plan']} saw it, and was not cut: {f['what']}",
    ),
    "restored": ("accepted", lambda who, f: f"{who} had {_account(f)} put back"),
}


def _looked_at(f: dict[str, Any]) -> str:
    if not f["checksum"]:
        return f"{_account(f)} cannot be cut by plan {f['plan']}: {f['reason']}"
    doing = ", ".join(_VERBS.get(verb, str(verb)) for verb in f["verbs"])
    return f"{_account(f)} was looked at for plan {f['plan']}, which says: {doing}"


def _reverified(who: str, f: dict[str, Any]) -> str:
    said = f"Day {f['day']} after access end: {counted(f['proven'], 'effect')} read back and still so"
    said += f", {f['came_back']} came back" if f["came_back"] else ""
    return said + (f", {f['unread']} could not be read and unknown" if f["unread"] else "")


def _swept(who: str, f: dict[str, Any]) -> str:
    read = {
        "read": "was read to the end",
        "broken off": "broke off while it was read",
        "unread": "could not be read",
    }.get(f["read"], f["read"])
    return f"{f['name']} {read}: {counted(f['accounts'], 'account')}. {f['reason']}".strip()


def _system(f: dict[str, Any]) -> str:
    return str(f.get("system_title") or f["system"])


def _linked(who: str, f: dict[str, Any]) -> str:
    logins = f.get("logins") or [""] * len(f["ours"])
    names = [login or pk for login, pk in zip(logins, f["ours"], strict=True)]
    return f"{who} said which accounts in {_system(f)} are theirs: {', '.join(names) or 'none'}"


def _why(f: dict[str, Any]) -> str:
    return f": {f['reason']}" if f.get("reason") else ""


def _named(label: str) -> str:
    """A name, where an address stands behind it."""
    return label.partition(" <")[0]


def _read(f: dict[str, Any]) -> str:
    proof = f.get("proof") or {}
    parts = [part for part in (proof.get("read"), proof.get("probe")) if part]
    return f": {'; '.join(parts)}" if parts else ""


def _planned(who: str, f: dict[str, Any]) -> str:
    if f["plan_kind"] == "restore":
        return f"{who} made plan {f['plan']} to put access back"
    effects, systems = counted(f["changes"], "effect"), counted(len(f["systems"]), "system")
    return f"{who} made access plan {f['plan']}: {effects}, {systems} asked"


def _began(who: str, f: dict[str, Any]) -> str:
    if f["plan_kind"] == "restore":
        return f"{who} began to put access back"
    return f"{who} began to cut access by plan {f['plan']}"


def _reading(who: str, f: dict[str, Any]) -> str:
    read = [row for row in f["accounts"] if not row["problem"]]
    so = sum(row["after"] == "verified" for row in read)
    silent = len(f["accounts"]) - len(read)
    more = f"; {silent} could not be read" if silent else ""
    return f"{who} read {counted(len(read), 'effect')} back, {so} as it should be{more}"


def _asked(who: str, f: dict[str, Any]) -> str:
    if f["question"] == "plan":
        return f"{who} asked every system what it has"
    if f["question"] == "dry_run":
        return f"{who} asked what the access plan would send"
    return f"{who} asked for every account to be read back"


def _tested(who: str, f: dict[str, Any]) -> str:
    return f"{who} tested {f['name']}: {f['summary']}"


def _counts(f: dict[str, Any]) -> str:
    return f"{f['created']} new, {f['updated']} changed, {f['unchanged']} as before"


SENTENCES: dict[str, tuple[str, Sentence]] = {
    **JOURNEYS,
    "user.ended": ("verified", lambda who, f: f"The Partwell account {f['user']} ended"),
    **ROUNDS,
    "access.asked": ("accepted", _asked),
    "access.planned": ("accepted", _planned),
    "access.tried": (
        "accepted",
        lambda who, f: f"{who} tried access plan {f['plan']}: {counted(f['calls'], 'call')}, none sent",
    ),
    "access.approved": (
        "verified",
        lambda who, f: f"{who} approved access plan {f['plan']} as a second person",
    ),
    "access.approval_ended": (
        "failed",
        lambda who, f: (
            f"{who} changed the connection of {_system(f)}, which ended the approval of plan {f['plan']}"
        ),
    ),
    "access.apply_started": ("accepted", _began),
    "access.cut_ordered": (
        "failed",
        lambda who, f: f"{who} ordered the kill switch (one of {f['people']}): {f['reason']}",
    ),
    "access.cut_approved": ("verified", lambda who, f: f"{who} approved the kill switch as a second person"),
    "access.cut_fired": ("accepted", lambda who, f: f"{who} fired the kill switch, plan {f['plan']}"),
    "access.cut_cancelled": ("accepted", lambda who, f: f"{who} called the kill switch off"),
    "access.map_taken": ("accepted", lambda who, f: f"{who} asked every system what {f['who']} has"),
    "access.cut_held": ("failed", lambda who, f: f"The kill switch held itself: {f['because']}"),
    "access.cut_resumed": ("accepted", lambda who, f: f"{who} went on with the kill switch"),
    "access.cut_stopped": ("failed", lambda who, f: f"{who} stopped the cut while it ran"),
    "access.cut_reviewed": ("verified", lambda who, f: f"{who} reviewed the cut: {f['note']}"),
    **{f"{where}.ghost_{what}": said for where in ("access", "system") for what, said in _GHOSTS.items()},
    **{f"system.ghost_{what}": said for what, said in _NOBODYS.items()},
    "access.reverified": ("verified", _reverified),
    "ghosts.sweep_started": (
        "accepted",
        lambda who, f: f"{who} had {counted(len(f['systems']), 'system')} looked through for ghost accounts",
    ),
    "system.swept": ("accepted", _swept),
    "system.accounts_uploaded": (
        "accepted",
        lambda who, f: (
            f"{who} uploaded {counted(f['accounts'], 'account')} of {f['name']} from {f['source']}"
        ),
    ),
    "access.drifted": (
        "failed",
        lambda who, f: (
            f"{_system(f)} is not as plan {f['plan']} saw it: {f['what']}; plan {f['delta']} waits"
        ),
    ),
    "access.account_linked": ("accepted", _linked),
    "access.alert_raised": ("failed", lambda who, f: str(f["text"])),
    "access.read_back": ("accepted", _reading),
    "access.requested": ("accepted", lambda who, f: f"Asked for {_what(f)}"),
    "access.accepted": ("accepted", lambda who, f: f"Accepted, not read back yet: {_what(f)}"),
    "access.verified": ("verified", lambda who, f: f"Read back, {_what(f)}{_read(f)}"),
    "access.failed": ("failed", lambda who, f: f"Failed, {_what(f)}{_why(f)}"),
    "access.unreachable": ("unreachable", lambda who, f: f"No answer, {_what(f)}{_why(f)}"),
    "access.manual": ("failed", lambda who, f: f"A person has to look, {_what(f)}{_why(f)}"),
    "access.attested": ("accepted", lambda who, f: f"{who} attested for {_account(f)}: {f['note']}"),
    "access.impossible": (
        "failed",
        lambda who, f: f"{who} says it cannot be done for {_account(f)}: {f['note']}",
    ),
    "credential.added": ("accepted", lambda who, f: f"{who} put {f['name']} on record"),
    "credential.changed": (
        "accepted",
        lambda who, f: f"{who} changed what is on record of {f['name']}: {', '.join(f['after'])}",
    ),
    "credential.retired": ("accepted", lambda who, f: f"{who} retired {f['name']}{_why(f)}"),
    "credential.holder_added": (
        "accepted",
        lambda who, f: f"{who} said that {_named(f['holder'])} knows {f['name']} since {f['since']}",
    ),
    "credential.holder_ended": (
        "accepted",
        lambda who, f: f"{who} ended that {_named(f['holder'])} knows {f['name']}{_why(f)}",
    ),
    "system.added": ("accepted", lambda who, f: f"{who} connected {f['name']}"),
    "system.changed": (
        "accepted",
        lambda who, f: (
            f"{who} changed {f['name']}: "
            + ", ".join(name.replace("_", " ") for name in sorted({*f["after"], *f["references"]}))
        ),
    ),
    "system.asked": ("accepted", lambda who, f: f"{who} asked for a test of {f['name']}"),
    "system.tested": ("accepted", _tested),
    "receiver.added": ("accepted", lambda who, f: f"{who} registered the receiver {f['receiver']}"),
    "receiver.changed": (
        "accepted",
        lambda who, f: (
            f"{who} changed the receiver {f['receiver']}: {', '.join(f['changed']).replace('_', ' ')}"
        ),
    ),
    "receiver.tested": ("accepted", lambda who, f: f"{who} asked for a test of {f['receiver']}"),
    "signing_key.made": ("accepted", lambda who, f: f"{who} made the signing key {f['key'][:16]}…"),
    "signal.accepted": ("accepted", lambda who, f: f"{f['receiver']} took the signal {f['signal']}"),
    "signal.given_up": (
        "failed",
        lambda who, f: f"{f['receiver']} was not told {f['signal']}: {f['reason']}",
    ),
    "signal.queued_again": (
        "accepted",
        lambda who, f: f"{who} had the signal {f['signal']} sent to {f['receiver']} again",
    ),
    "evidence.exported": (
        "accepted",
        lambda who, f: (
            f"{who} exported {counted(f['events'], 'record')} for {AUDIENCE_LABELS[Audience(f['audience'])]}"
        ),
    ),
    "audit.population_listed": (
        "accepted",
        lambda who, f: f"{who} listed {counted(len(f['refs']), 'leaver')} of {f['since']} to {f['until']}",
    ),
    "audit.sample_drawn": (
        "accepted",
        lambda who, f: (
            f"{who} drew {len(f['drawn'])} of {counted(f['count'], 'leaver')} of {f['since']} to "
            f"{f['until']} with the seed {f['seed']}"
        ),
    ),
    "audit.sample_exported": (
        "accepted",
        lambda who, f: f"{who} exported a sample with {counted(f['events'], 'record')} for an auditor",
    ),
    "evidence.erased": (
        "failed",
        lambda who, f: f"{who} erased {', '.join(f['erased'])} from one record: {f['basis']}",
    ),
    "evidence.key_made": ("accepted", lambda who, f: f"A signing key was made: {f['fingerprint'][:16]}…"),
    "file.stored": ("accepted", lambda who, f: f"{who} stored a file of {f['size']} bytes"),
    "guest.invited": ("accepted", lambda who, f: f"{who} invited {f['guest']} by link"),
    "guest.opened": ("accepted", lambda who, f: f"{f['guest']} opened the link"),
    "guest.link_renewed": ("accepted", lambda who, f: f"{f['guest']} got a new link"),
    "guest.revoked": ("accepted", lambda who, f: f"{who} took the link of {f['guest']} back"),
    "mail.sent": ("accepted", lambda who, f: f"The mail server took the mail to {f['to']}"),
    "mail.failed": ("failed", lambda who, f: f"The mail to {f['to']} could not be sent: {f['answer']}"),
    "mail.queued_again": ("accepted", lambda who, f: f"{who} had a mail to {f['to']} sent again"),
    "token.created": ("accepted", lambda who, f: f"{who} created the API token “{f['name']}”"),
    "token.revoked": ("accepted", lambda who, f: f"{who} revoked an API token"),
    "user.invitation_accepted": ("accepted", lambda who, f: f"{f['user']} accepted the invitation"),
    "user.created": ("accepted", lambda who, f: f"{f['user']} can sign in"),
    "role.granted": ("accepted", lambda who, f: f"{who} gave {f['user']} the role {f['role']}"),
    "role.revoked": ("accepted", lambda who, f: f"{who} took the role {f['role']} from {f['user']}"),
    "people.imported": ("accepted", lambda who, f: f"{who} imported people: {_counts(f)}"),
    "clients.imported": ("accepted", lambda who, f: f"{who} imported clients: {_counts(f)}"),
    "contracts.imported": ("accepted", lambda who, f: f"{who} imported contracts: {_counts(f)}"),
    **TRANSFERS,
    "credential.rotation_opened": (
        "accepted",
        lambda who, f: f"{f['credential']} has to be changed, by {f['owner'] or 'IT/Security'}",
    ),
    "credential.rotation_requested": (
        "accepted",
        lambda who, f: f"{who} asked {_system(f)} to change {f['credential']}",
    ),
    "credential.rotation_accepted": (
        "accepted",
        lambda who, f: f"{f['credential']} was changed; the old one was not tried{_read(f)}",
    ),
    "credential.rotation_verified": (
        "verified",
        lambda who, f: f"{f['credential']} was changed, and the old one is refused{_read(f)}",
    ),
    "credential.rotation_failed": (
        "failed",
        lambda who, f: f"Changing {f['credential']} failed{_why(f)}",
    ),
    "credential.rotation_attested": (
        "accepted",
        lambda who, f: f"{who} said that {f['credential']} is changed{_why(f)}",
    ),
    "credential.rotation_not_needed": (
        "failed",
        lambda who, f: f"{who} said that {f['credential']} need not be changed{_why(f)}",
    ),
    "credentials.imported": ("accepted", lambda who, f: f"{who} imported credentials: {_counts(f)}"),
    "credentials.exported": ("accepted", lambda who, f: f"{who} exported {f['rows']} credentials"),
    "people.exported": ("accepted", lambda who, f: f"{who} exported {f['rows']} people"),
    "clients.exported": ("accepted", lambda who, f: f"{who} exported {f['rows']} clients"),
    "contracts.exported": ("accepted", lambda who, f: f"{who} exported {f['rows']} contracts"),
    "template.published": (
        "accepted",
        lambda who, f: f"{who} published version {f['version']} of the template {f['template']}",
    ),
    "template.owner_set": (
        "accepted",
        lambda who, f: (
            f"{who} made {f['to']} answer for the template {f['template']}"
            if f.get("to")
            else f"{who} left the template {f['template']} without an owner"
        ),
    ),
    "template.reviewed": (
        "accepted",
        lambda who, f: f"{who} read version {f['version']} of the template {f['template']}: {f['note']}",
    ),
    "template.draft_begun": (
        "accepted",
        lambda who, f: (
            f"{who} began a draft of the template {f['template']}"
            + (f" from {f['begun_from']}" if f["begun_from"] else "")
        ),
    ),
    "template.draft_changed": (
        "accepted",
        lambda who, f: f"{who} changed the draft of the template {f['template']}; revision {f['revision']}",
    ),
    "template.draft_discarded": (
        "accepted",
        lambda who, f: f"{who} discarded the draft of the template {f['template']}",
    ),
    "demo.built": ("accepted", lambda who, f: f"{who} built the practice installation"),
    "installation.changed": ("accepted", lambda who, f: f"{who} changed the settings of {f['company']}"),
    "participant.added": ("accepted", lambda who, f: f"{who} let {f['user']} take part: {f['part']}"),
    "participant.removed": ("accepted", lambda who, f: f"{who} took {f['user']} out: {f['part']}"),
    "installation.seals_renewed": (
        "accepted",
        lambda who, f: f"{who} sealed what is kept under a new key",
    ),
    **FIRST_RUN,
    "installation.initialised": ("accepted", lambda who, f: f"{who} set Partwell up for {f['company']}"),
}
"""By kind: the mark, and the sentence made of who acted and what the event says."""
