"""How each operation of the matrix is called for real, with arguments that are valid.

A call may end in a refusal of the domain that comes after the question who may do it (`REACHED`): it
proves as well as a success that the actor was let through.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from partwell.access import queries as access_queries
from partwell.access.credentials import imports as credential_imports
from partwell.access.credentials import operations as credentials
from partwell.access.credentials import queries as credential_queries
from partwell.access.credentials import settling
from partwell.access.ghosts import operations as ghosts
from partwell.access.ghosts.files import upload_accounts
from partwell.access.ghosts.queries import visible_ghosts
from partwell.access.ghosts.sweeping import start_sweep
from partwell.access.map_queries import latest_map
from partwell.access.models import AccountRecord, Credential, CredentialRotation, Cut, Ghost, Plan, System
from partwell.access.operations import (
    apply_plan,
    approve_plan,
    attest_account,
    cuts,
    dry_run_plan,
    link_accounts,
    make_plan,
    mark_impossible,
    restore_plan,
)
from partwell.access.operations.enforcement import enforce_access_end, escalate
from partwell.access.operations.mapping import take_map
from partwell.access.operations.system_changes import change_system
from partwell.access.operations.systems import add_system, test_system
from partwell.access.operations.verification import verify_plan
from partwell.closure import operations as closure
from partwell.closure import queries as closure_queries
from partwell.closure.audiences import Audience
from partwell.closure.audits import samples
from partwell.closure.audits.packs import export_sample
from partwell.departures import guests
from partwell.departures.models import Departure, GuestLink, Notice, Participant
from partwell.documents.models import StoredFile
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope
from partwell.first_run import operations as set_up
from partwell.first_run.guide import view_guide
from partwell.first_run.models import PutAside
from partwell.insights.questions import Question
from partwell.insights.report import view_process
from partwell.journeys import draft_operations as drafts
from partwell.journeys import draft_queries, queries, template_queries
from partwell.journeys.draft_trial import try_draft
from partwell.journeys.intake import Intake
from partwell.journeys.models import Step, TemplateUpkeep
from partwell.journeys.operations import ending, moving, starting, steps
from partwell.journeys.operations.participating import add_participant, remove_participant
from partwell.journeys.operations.shutting_out import shut_out
from partwell.journeys.template.drafting import SetFields
from partwell.journeys.template_operations import publish_template
from partwell.journeys.upkeep_operations import confirm_template_review, set_template_owner
from partwell.people import exports, operations, token_operations
from partwell.people import queries as people_queries
from partwell.people.actors import Actor, console_actor
from partwell.people.models import ApiToken, Installation, Person, RoleGrant, User
from partwell.signals import queries as signal_queries
from partwell.signals import receivers
from partwell.signals.models import Receiver, SecurityEvent
from partwell.signals.resealing import renew_seals
from tests import authorised_ghosts, authorised_practice, authorised_rounds, authorised_transfers
from tests.authorisation_stage import ACCESS_ENDED, CREDENTIAL, Scene
from tests.authorised_versions import move_to_another_version
from tests.factories import LAST_DAY, NOW, SMALL_TEMPLATE, make_person

Call = Callable[[Actor, Scene | None, str], Any]

# Refusals that an operation raises only after it let the actor through.
REACHED = {
    "credentials.rotate": {"no_connector"},
    "access.restore": {"nothing_to_restore"},
    "access.dry_run": {"nothing_to_send"},
    "access.link": {"nothing_ambiguous"},
    "evidence.export": {"nothing_signed", "wrong_audience"},
    "audits.export": {"nothing_signed"},
    "roles.revoke": {"last_admin"},
    **authorised_ghosts.REACHED,
    **authorised_practice.REACHED,
    **authorised_rounds.REACHED,
    **authorised_transfers.REACHED,
}


def _departure(scene: Scene | None) -> Departure:
    assert scene is not None
    return Departure.objects.select_related("journey__template", "person", "client").get(
        pk=scene.departure.pk
    )


def _step(scene: Scene | None, key: str) -> Step:
    return Step.objects.select_related("journey__departure").get(journey_id=_departure(scene).pk, key=key)


def _ready(scene: Scene | None, key: str, **fields: Any) -> Step:
    """The step as the operation needs it, whatever state the departure is in."""
    step = _step(scene, key)
    Step.objects.filter(pk=step.pk).update(**fields)
    return _step(scene, key)


def _plan(scene: Scene | None, **fields: Any) -> Plan:
    given = {"version": 1, "checksum": "c" * 64, "made_at": NOW, "made_by": "stage", "requested_by_id": 0}
    return Plan.objects.create(departure=_departure(scene), **(given | fields))


def _cut(scene: Scene | None, state: str, **fields: Any) -> Cut:
    cut = Cut.objects.create(
        title="Now", reason=REASON, state=state, ordered_by="stage", ordered_by_id=0, ordered_at=NOW, **fields
    )
    cut.departures.set([_departure(scene)])
    return cut


def _account(scene: Scene | None) -> AccountRecord:
    system = _system()
    return AccountRecord.objects.create(
        departure=_departure(scene), system=system, external_id="a", login="a", state="manual"
    )


def _ghost(scene: Scene | None) -> Ghost:
    """An account of the scene's leaver, or of nobody."""
    system = _system()
    return Ghost.objects.create(
        system=system,
        external_id="g",
        login="g",
        kind="nobodys" if scene is None else "came_back",
        departure=None if scene is None else _departure(scene),
        first_seen_at=NOW,
        last_seen_at=NOW,
    )


def _system() -> System:
    return System.objects.create(name="by-hand", title="By hand", connector="manual", created_at=NOW)


def _receiver() -> Receiver:
    return Receiver.objects.create(
        name="gateway",
        title="Gateway",
        endpoint="https://8.8.8.8/events",
        audience="gateway",
        signals=["session-revoked"],
        created_at=NOW,
    )


def _failed_signal() -> SecurityEvent:
    return SecurityEvent.objects.create(
        receiver=_receiver(),
        signal="session-revoked",
        jti=uuid4().hex,
        dedupe_key=uuid4().hex,
        scope="installation",
        state="failed",
        created_at=NOW,
        give_up_at=NOW,
        next_attempt_at=NOW,
    )


def _credential() -> Credential:
    return Credential.objects.get(name=CREDENTIAL)


def _rotation(scene: Scene | None) -> CredentialRotation:
    # Nobody's: what its owner may do beside the matrix is proven with the rotations.
    return CredentialRotation.objects.create(
        credential=_credential(), departure=_departure(scene), opened_at=NOW
    )


def _token_of(actor: Actor) -> int:
    user = User.objects.filter(pk=actor.user_id or 0).first() or User.objects.order_by("pk").first()
    assert user is not None
    return ApiToken.objects.create(
        user=user, name="t", hint="pw_", secret_sha256=uuid4().hex, scopes=["read"], created_at=NOW,
        created_by="stage", expires_at=NOW + timedelta(days=1),
    ).pk  # fmt: skip


def _grantee() -> str:
    return make_person(f"Grantee {uuid4().hex[:8]}").email


def _revocable() -> str:
    email = _grantee()
    operations.grant_role(email=email, role="finance", actor=console_actor(), now=NOW)
    return email


def _draft() -> str:
    """The id of a draft that another begins afresh for each try."""
    origin = drafts.Origin(source=OTHER_TEMPLATE)
    return drafts.begin_draft(origin=origin, actor=console_actor(), now=NOW).template_id


def _put_aside() -> str:
    return PutAside.objects.create(part="clients", put_aside_at=NOW, put_aside_by="stage").part


def _notice() -> Notice:
    return Notice.objects.create(
        subject_name="Somebody", scenario="small", notice_date=NOW.date(), last_working_date=LAST_DAY,
        given_by="stage", given_at=NOW,
    )  # fmt: skip


def _link(scene: Scene | None) -> GuestLink:
    found = GuestLink.objects.filter(departure=_departure(scene)).first()
    assert found is not None
    return found


def _part(scene: Scene | None) -> Participant:
    user = User.objects.create_user(f"{uuid4().hex}@players.example")
    return Participant.objects.create(departure=_departure(scene), user=user, capacity="legal", added_at=NOW)


def _first_run(actor: Actor) -> None:
    Installation.objects.all().delete()
    operations.initialise(company="Harbour & Vale", practice=False, actor=actor, now=NOW)


def _event(scene: Scene | None) -> Event:
    found = Event.objects.filter(scope=departure_scope(_departure(scene).pk)).first()
    assert found is not None
    return found


def _file() -> StoredFile:
    return StoredFile.objects.create(
        name="a.pdf",
        media_type="application/pdf",
        size=1,
        sha256=uuid4().hex * 2,
        stored_at=NOW,
        stored_by="x",
    )


def _left() -> date:
    """A day on which somebody left, by the register."""
    Person.objects.get_or_create(
        email="gone@harbour.example", defaults={"name": "Gone Before", "left_on_date": AUDITED}
    )
    return AUDITED


def _sample() -> UUID:
    return samples.draw(since=_left(), until=AUDITED, actor=console_actor(), now=NOW).id


def _reader() -> User:
    """Somebody who may own a template."""
    user = User.objects.create(email=f"{uuid4().hex[:8]}@readers.example", name="Reader")
    RoleGrant.objects.create(user=user, role="hr", granted_at=NOW, granted_by="stage")
    return user


def _reviews(actor: Actor) -> TemplateUpkeep:
    """A template of the actor's own, or of nobody's for who has no account."""
    latest = template_queries.latest("small")
    TemplateUpkeep.objects.update_or_create(template_id="small", defaults={"owner_id": actor.user_id})
    return confirm_template_review(
        template_id="small", version=latest.version, note=REASON, actor=actor, now=NOW
    )


def _closable(scene: Scene | None) -> Departure:
    Step.objects.filter(journey_id=_departure(scene).pk).update(state="done", waits_for=[])
    return _departure(scene)


def _asked_to_override(scene: Scene | None) -> Departure:
    departure = _departure(scene)
    departure.journey.override_reason, departure.journey.override_by_id = "Nothing else is left", 0
    departure.journey.save()
    return departure


def _starts(actor: Actor, _scene: Scene | None, _key: str) -> Any:
    return starting.start(template_id="small", intake=_intake(), actor=actor, now=NOW)


def _intake() -> Intake:
    return Intake(
        person=make_person(f"New {uuid4().hex[:8]}"), last_working_date=LAST_DAY, notice_date=NOW.date()
    )


AUDITED = NOW.date() - timedelta(days=3)
AUDITED_PROCESS = Question(AUDITED, AUDITED, "UTC")
PEOPLE = b"email,name\nnew.hand@harbour.example,New Hand\n"
CLIENTS = b"client_ref,name\nC1,Northwind\n"
CONTRACTS = b"client_ref,title,start_date,end_date\n"
SYSTEM = {"name": "by-hand", "connector": "manual", "settings": {}}
OTHER_TEMPLATE = SMALL_TEMPLATE.replace("id: small", "id: another", 1)
REASON = "This is a reason that is long enough."

CALLS: dict[str, Call] = {
    # Offices
    "people.view": lambda a, s, k: people_queries.list_people(actor=a),
    "people.import": lambda a, s, k: operations.import_people(data=PEOPLE, actor=a, now=NOW),
    "people.export": lambda a, s, k: exports.export_people(actor=a, now=NOW),
    "clients.view": lambda a, s, k: people_queries.list_clients(actor=a),
    "clients.import": lambda a, s, k: operations.import_clients(data=CLIENTS, actor=a, now=NOW),
    "clients.export": lambda a, s, k: exports.export_clients(actor=a, now=NOW),
    "contracts.import": lambda a, s, k: operations.import_contracts(data=CONTRACTS, actor=a, now=NOW),
    "contracts.export": lambda a, s, k: exports.export_contracts(actor=a, now=NOW),
    "roles.grant": lambda a, s, k: operations.grant_role(email=_grantee(), role="finance", actor=a, now=NOW),
    "roles.revoke": lambda a, s, k: operations.revoke_role(
        email=_revocable(), role="finance", actor=a, now=NOW
    ),
    "tokens.create": lambda a, s, k: token_operations.create_token(
        scopes=["read"], email="" if a.user_id else _revocable(), actor=a, now=NOW
    ),
    "tokens.revoke": lambda a, s, k: token_operations.revoke_token(token_id=_token_of(a), actor=a, now=NOW),
    "settings.view": lambda a, s, k: people_queries.view_settings(actor=a),
    "settings.change": lambda a, s, k: operations.change_settings(
        company="Harbour & Vale", country="DE", timezone="Europe/Berlin", actor=a, now=NOW
    ),
    "setup.view": lambda a, s, k: view_guide(actor=a),
    "setup.put_aside": lambda a, s, k: set_up.put_aside(part="calendar", actor=a, now=NOW),
    "setup.take_up": lambda a, s, k: set_up.take_up(part=_put_aside(), actor=a, now=NOW),
    **authorised_practice.CALLS,
    "templates.view": lambda a, s, k: template_queries.list_templates(actor=a),
    "templates.publish": lambda a, s, k: publish_template(text=OTHER_TEMPLATE, actor=a, now=NOW),
    "templates.view_drafts": lambda a, s, k: draft_queries.list_drafts(actor=a),
    "templates.begin_draft": lambda a, s, k: drafts.begin_draft(
        origin=drafts.Origin(template="small"), template_id="another", actor=a, now=NOW
    ),
    "templates.change_draft": lambda a, s, k: drafts.change_draft(
        template_id=_draft(), seen=1, change=SetFields(title="A new title"), actor=a, now=NOW
    ),
    "templates.discard_draft": lambda a, s, k: drafts.discard_draft(
        template_id=_draft(), seen=1, actor=a, now=NOW
    ),
    "templates.publish_draft": lambda a, s, k: drafts.publish_draft(
        template_id=_draft(), seen=1, over=0, actor=a, now=NOW
    ),
    "templates.try_draft": lambda a, s, k: try_draft(
        template_id=_draft(), intake=_intake(), actor=a, now=NOW
    ),
    "templates.set_owner": lambda a, s, k: set_template_owner(
        template_id="small", to=_reader(), actor=a, now=NOW
    ),
    "templates.confirm_review": lambda a, s, k: _reviews(a),
    "process.view": lambda a, s, k: view_process(AUDITED_PROCESS, actor=a, now=NOW),
    "journeys.start": _starts,
    "notices.give": lambda a, s, k: starting.give_notice(
        template_id="small", intake=_intake(), actor=a, now=NOW
    ),
    "notices.settle": lambda a, s, k: starting.settle_notice(
        notice=_notice(), journey=None, actor=a, now=NOW
    ),
    "systems.add": lambda a, s, k: add_system(description=SYSTEM, actor=a, now=NOW),
    "systems.change": lambda a, s, k: change_system(
        system=_system(), changes={"title": "Other"}, actor=a, now=NOW
    ),
    "systems.test": lambda a, s, k: test_system(
        system=System(name="by-hand", title="By hand", connector="manual", created_at=NOW), actor=a, now=NOW
    ),
    "receivers.view": lambda a, s, k: signal_queries.list_receivers(actor=a),
    "receivers.add": lambda a, s, k: receivers.add_receiver(
        name="gateway",
        description={"endpoint": "https://8.8.8.8/events", "audience": "gateway"},
        actor=a,
        now=NOW,
    ),
    "receivers.change": lambda a, s, k: receivers.change_receiver(
        receiver=_receiver(), changes={"title": "Other"}, actor=a, now=NOW
    ),
    "receivers.test": lambda a, s, k: receivers.test_receiver(receiver=_receiver(), actor=a, now=NOW),
    "receivers.send_again": lambda a, s, k: receivers.send_signal_again(
        event=_failed_signal(), actor=a, now=NOW
    ),
    "receivers.rotate_key": lambda a, s, k: receivers.rotate_signing_key(actor=a, now=NOW),
    "audits.view": lambda a, s, k: samples.view_audit(since=AUDITED, until=AUDITED, actor=a, now=NOW),
    "audits.draw": lambda a, s, k: samples.draw(since=_left(), until=AUDITED, actor=a, now=NOW),
    "audits.export": lambda a, s, k: export_sample(sample_id=_sample(), actor=a, now=NOW),
    "evidence.verify": lambda a, s, k: closure_queries.verify_record(actor=a, now=NOW),
    "installation.renew_seals": lambda a, s, k: renew_seals(actor=a, now=NOW),
    "installation.initialise": lambda a, s, k: _first_run(a),
    # Departures
    "journeys.view": lambda a, s, k: queries.get_departure(a, _departure(s).pk),
    "journeys.edit": lambda a, s, k: moving.edit(
        departure=_departure(s), changes={"jurisdiction": "FR"}, actor=a, now=NOW
    ),
    "journeys.move": lambda a, s, k: moving.move(
        departure=_departure(s), last_working_date=date(2026, 12, 4), actor=a, now=NOW
    ),
    "journeys.change_version": lambda a, s, k: move_to_another_version(_departure(s), a),
    "journeys.withdraw": lambda a, s, k: ending.withdraw(
        departure=_departure(s), reason=REASON, actor=a, now=NOW
    ),
    "journeys.close": lambda a, s, k: ending.close(departure=_closable(s), actor=a, now=NOW),
    "journeys.request_override": lambda a, s, k: ending.request_override(
        departure=_departure(s), reason=REASON, actor=a, now=NOW
    ),
    "journeys.approve_override": lambda a, s, k: ending.approve_override(
        departure=_asked_to_override(s), actor=a, now=NOW
    ),
    "participants.add": lambda a, s, k: add_participant(
        departure=_departure(s),
        person="stranger@players.example",
        part="legal",
        actor=a,
        now=NOW,
    ),
    "participants.remove": lambda a, s, k: remove_participant(participant=_part(s), actor=a, now=NOW),
    # Steps
    "steps.complete": lambda a, s, k: steps.complete_step(
        step=_ready(s, k, state="open", waits_for=[], evidence="none"), actor=a, now=NOW
    ),
    "steps.undo": lambda a, s, k: steps.undo_step(step=_ready(s, k, state="done"), actor=a, now=NOW),
    "steps.skip": lambda a, s, k: steps.skip_step(
        step=_ready(s, k, state="open", waits_for=[]), reason=REASON, actor=a, now=NOW
    ),
    "steps.reassign": lambda a, s, k: steps.reassign_step(
        step=_ready(s, k, role="hr"), to=User.objects.get(email="stranger@players.example"), actor=a, now=NOW
    ),
    "steps.claim": lambda a, s, k: steps.claim_step(
        step=_ready(s, k, owner=None, queue="hr", state="open"), actor=a, now=NOW
    ),
    "steps.comment": lambda a, s, k: steps.comment_on_step(step=_step(s, k), text="Word", actor=a, now=NOW),
    "steps.attach": lambda a, s, k: steps.attach_file(step=_step(s, k), file=_file(), actor=a, now=NOW),
    "steps.add": lambda a, s, k: steps.add_step(
        departure=_departure(s),
        title="One more",
        phase=1,
        due_at=NOW,
        owner=User.objects.get(email="stranger@players.example"),
        actor=a,
        now=NOW,
    ),
    # Access
    "access.view": lambda a, s, k: access_queries.plan_view(_departure(s), actor=a, now=NOW),
    "access.plan": lambda a, s, k: make_plan(departure=_departure(s), actor=a, now=NOW),
    "access.dry_run": lambda a, s, k: dry_run_plan(plan=_plan(s), actor=a, now=NOW),
    "access.approve": lambda a, s, k: approve_plan(plan=_plan(s), checksum="c" * 64, actor=a, now=NOW),
    "access.apply": lambda a, s, k: apply_plan(
        plan=_plan(s, state="approved", approved_at=NOW, approved_by="stage"), actor=a, now=NOW
    ),
    "access.enforce": lambda a, s, k: enforce_access_end(
        departure_id=_departure(s).pk, now=ACCESS_ENDED, actor=a
    ),
    "access.escalate": lambda a, s, k: escalate(departure_id=_departure(s).pk, now=NOW, actor=a),
    "access.verify": lambda a, s, k: verify_plan(departure=_departure(s), actor=a, now=NOW),
    "access.restore": lambda a, s, k: restore_plan(departure=_departure(s), actor=a, now=NOW),
    "access.attest": lambda a, s, k: attest_account(account=_account(s), note=REASON, actor=a, now=NOW),
    "access.mark_impossible": lambda a, s, k: mark_impossible(
        account=_account(s), reason=REASON, actor=a, now=NOW
    ),
    "access.shut_out": lambda a, s, k: shut_out(
        people=[make_person(f"Shut out {uuid4().hex[:8]}")], reason=REASON, actor=a, now=NOW
    ),
    "access.cut": lambda a, s, k: cuts.order_cut(
        departures=[_departure(s)], title="Now", reason=REASON, actor=a, now=NOW
    ),
    "access.approve_cut": lambda a, s, k: cuts.approve_cut(cut=_cut(s, "waiting"), actor=a, now=NOW),
    "access.fire_cut": lambda a, s, k: cuts.fire_cut(cut=_cut(s, "ready"), actor=a, now=NOW),
    "access.fire_cut_on_time": lambda a, s, k: cuts._fire_on_time(_cut(s, "ready"), a, NOW),
    "access.cancel_cut": lambda a, s, k: cuts.cancel_cut(cut=_cut(s, "ready"), actor=a, now=NOW),
    "access.stop_cut": lambda a, s, k: cuts.stop_cut(cut=_cut(s, "fired"), actor=a, now=NOW),
    "access.view_map": lambda a, s, k: latest_map(a),
    "access.take_map": lambda a, s, k: take_map(person=make_person("Mia Map"), actor=a, now=NOW),
    "access.resume_cut": lambda a, s, k: cuts.resume_cut(cut=_cut(s, "held"), actor=a, now=NOW),
    "access.go_on_by_stages": lambda a, s, k: cuts._go_on_by_stages(_cut(s, "fired"), a, NOW),
    "access.review_cut": lambda a, s, k: cuts.review_cut(
        cut=_cut(s, "fired", fired_at=NOW), note="It was right.", actor=a, now=NOW
    ),
    "access.cut_ghost": lambda a, s, k: ghosts.cut_ghost(ghost=_ghost(s), reason="", actor=a, now=NOW),
    "access.dismiss_ghost": lambda a, s, k: ghosts.dismiss_ghost(
        ghost=_ghost(s), reason=REASON, actor=a, now=NOW
    ),
    "access.assign_ghost": lambda a, s, k: ghosts.assign_ghost(ghost=_ghost(s), owner=None, actor=a, now=NOW),
    "ghosts.view": lambda a, s, k: visible_ghosts(a),
    "ghosts.sweep": lambda a, s, k: start_sweep(actor=a, now=NOW),
    "ghosts.upload": lambda a, s, k: upload_accounts(
        system=_ghost(None).system, data=b"login\nann\n", source="list.csv", actor=a, now=NOW
    ),
    "ghosts.dismiss": lambda a, s, k: ghosts.dismiss_ghost(
        ghost=_ghost(None), reason=REASON, actor=a, now=NOW
    ),
    "ghosts.assign": lambda a, s, k: ghosts.assign_ghost(ghost=_ghost(None), owner=None, actor=a, now=NOW),
    "access.link": lambda a, s, k: link_accounts(
        departure=_departure(s), system=_account(s).system, external_ids=[], actor=a, now=NOW
    ),
    # Shared credentials
    "credentials.view": lambda a, s, k: credential_queries.get_credential(a, _credential().pk),
    "credentials.add": lambda a, s, k: credentials.add_credential(given={"name": "New"}, actor=a, now=NOW),
    "credentials.import": lambda a, s, k: credential_imports.import_credentials(
        data=b"name,used_at\nNew login,db.example\n", actor=a, now=NOW
    ),
    "credentials.export": lambda a, s, k: credential_imports.export_credentials(actor=a, now=NOW),
    "credentials.rotate": lambda a, s, k: settling.rotate(rotation=_rotation(s), actor=a, now=NOW),
    "credentials.attest_rotation": lambda a, s, k: settling.attest_rotation(
        rotation=_rotation(s), note=REASON, actor=a, now=NOW
    ),
    "credentials.leave_rotation": lambda a, s, k: settling.leave_rotation(
        rotation=_rotation(s), reason=REASON, actor=a, now=NOW
    ),
    "credentials.change": lambda a, s, k: credentials.change_credential(
        credential=_credential(), given={"used_at": "db.example"}, actor=a, now=NOW
    ),
    "credentials.retire": lambda a, s, k: credentials.retire_credential(
        credential=_credential(), reason=REASON, actor=a, now=NOW
    ),
    "credentials.add_holder": lambda a, s, k: credentials.add_holder(
        credential=_credential(), email=_grantee(), actor=a, now=NOW
    ),
    "credentials.end_holder": lambda a, s, k: credentials.end_holder(
        holder=_credential().holders.get(), reason=REASON, actor=a, now=NOW
    ),
    # Evidence and guests
    "evidence.view": lambda a, s, k: closure_queries.departure_events(departure=_departure(s), actor=a),
    "evidence.export": lambda a, s, k: closure.read_pack(
        departure=_departure(s), audience=Audience.LEAVER, actor=a, now=NOW
    ),
    "evidence.erase": lambda a, s, k: closure.erase_field(
        departure=_departure(s), event_id=_event(s).pk, names=["actor"], basis="asked for", actor=a, now=NOW
    ),
    "guests.invite": lambda a, s, k: guests.invite(
        departure=_departure(s), email="x@outside.example", actor=a, now=NOW
    ),
    "guests.revoke": lambda a, s, k: guests.revoke(link=_link(s), actor=a, now=NOW),
    **authorised_ghosts.CALLS,
    **authorised_rounds.CALLS,
    **authorised_transfers.CALLS,
}
