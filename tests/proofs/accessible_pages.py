"""Every page that there is: who opens it, with what in its address, and what they do there first."""

from __future__ import annotations

from partwell.journeys.states import StepState
from partwell.journeys.template.model import EvidenceKind, StepKind
from tests.proofs import accessible_deeds as deeds
from tests.proofs.accessible_access import ACCESS
from tests.proofs.accessible_credentials import CHANGED_BY_CONNECTOR, CREDENTIALS
from tests.proofs.accessible_deeds import fill, in_days, post, pressing, unfold, upload
from tests.proofs.accessible_drafts import DRAFTS
from tests.proofs.accessible_first_run import FIRST_RUN
from tests.proofs.accessible_ghosts import GHOSTS
from tests.proofs.accessible_rounds import ROUNDS
from tests.proofs.accessible_stage import GUEST, HELPER, NOBODY
from tests.proofs.accessible_templates import TEMPLATES
from tests.proofs.accessible_transfers import TRANSFERS
from tests.proofs.accessible_visits import a_step, visit

HR, IT, ADMIN = "Amara Osei", "Priya Raman", "Tomasz Wrona"
EXECUTIVE, MANAGER = "Helen Marsh", "Joon-ho Baek"
LEAVER, BYSTANDER = "Marit Lindqvist", "Aoife Adeyemi"

NOTICE = {"Who leaves": "mei.tanaka@harbourvale.example", "Last working day": in_days(50)}
REGISTER = b"email,name,department\nnoa.lind@harbourvale.example,Noa Lind,Studio\n"

AT_THE_DOOR = (
    visit(NOBODY, "account_login"),
    visit(NOBODY, "account_login", state="wrong password", is_extra=True, do=deeds.wrong_password),
    visit(NOBODY, "mfa_authenticate", start=("account_login",), do=deeds.half_signed_in),
    visit(NOBODY, "account_reset_password"),
    visit(
        NOBODY,
        "account_reset_password",
        state="too many tries",
        do=fill({"E-mail": "somebody@harbourvale.example"}, "Send me the link"),
        around=deeds.no_tries_left,
        status=429,
    ),
    visit(NOBODY, "account_reset_password_done"),
    visit(NOBODY, "account_reset_password_from_key", "reset account", "reset key"),
    visit(NOBODY, "account_reset_password_from_key", "reset account", "no-key", state="ended", is_extra=True),
    visit(NOBODY, "account_reset_password_from_key_done"),
    visit(NOBODY, "account_inactive"),
    visit(NOBODY, "web:invitation", "invitation"),
    visit(
        NOBODY,
        "web:invitation",
        "invitation",
        state="weak password",
        is_extra=True,
        do=fill({"Password": "password"}, "Set the password"),
        status=422,
    ),
    visit(NOBODY, "web:invitation", "no-such-invitation", state="ended", status=404),
    visit(NOBODY, path="/no-such-page/", state="not found outside", status=404),
)

GUESTS = (
    visit(NOBODY, "web:guest_open", "link spare"),
    visit(NOBODY, "web:guest_open", "no-link", state="unknown", do=pressing("Open my page"), status=404),
    visit(
        NOBODY, "web:guest_open", "link spare", state="used", is_extra=True, do=deeds.open_twice, status=410
    ),
    visit(
        NOBODY,
        "web:guest_renew",
        start=("web:guest_open", "link spare"),
        do=deeds.ask_for_a_new_link,
        status=410,
    ),
    visit(GUEST, "web:guest_page"),
    visit(GUEST, "web:guest_step", a_step("Kestrel Outdoor GmbH", role="departing", state=StepState.OPEN)),
    visit(HELPER, "web:guest_page", state="helper"),
    visit(
        HELPER,
        "web:guest_step",
        a_step("Kestrel Outdoor GmbH", role="legal", state=StepState.OPEN),
        state="refused",
        do=pressing("Confirm that it is done"),
        status=422,
    ),
    visit(HELPER, "web:guest_leave", start=("web:guest_page",), do=deeds.leave),
    visit(LEAVER, "web:my_departure"),
    visit(LEAVER, "web:my_departure_step", a_step(LEAVER, role="departing", state=StepState.OPEN)),
)

TODAY = (
    visit(HR, "web:home"),
    visit(HR, "web:home", state="palette", do=deeds.palette),
    visit(HR, "web:home", state="menu", do=deeds.menu),
    visit(BYSTANDER, "web:home", state="empty", is_extra=True),
    visit(HR, "web:find", query="?q=mar"),
    visit(HR, "web:my_steps"),
    visit(ADMIN, "web:my_steps", state="to claim"),
    visit(BYSTANDER, "web:my_steps", state="empty"),
    visit(HR, "web:departures"),
    visit(HR, "web:departures", query="?q=nobody-of-that-name", state="none found", is_extra=True),
    visit(HR, "web:departure_start"),
    visit(
        HR, "web:departure_start", state="refused", do=fill({"Who leaves": "x"}, "Show the plan"), status=422
    ),
    visit(HR, "web:departure_start", state="review", do=fill(NOTICE, "Show the plan")),
    visit(
        MANAGER,
        "web:departure_start",
        state="notice",
        do=fill(NOTICE | {"Who leaves": "viktor.sandell@harbourvale.example"}, "Show the plan"),
    ),
)

JOURNEYS = (
    visit(HR, "web:journey", "marit"),
    visit(HR, "web:journey", "marit", query="?role=finance", state="one role", is_extra=True),
    visit(HR, "web:journey", "marit", state="all open", do=deeds.unfold_all),
    visit(HR, "web:journey", "owen", state="closed"),
    visit(HR, "web:journey", "sofia", state="withdrawn", is_extra=True),
    visit(HR, "web:journey", "viktor", state="restricted"),
    visit(HR, "web:journey", "northlight", state="client", is_extra=True),
    visit(HR, "web:journey_dates", "marit"),
    visit(
        HR,
        "web:journey_dates",
        "marit",
        state="difference",
        do=fill({"Last working day": in_days(60)}, "Show the difference"),
    ),
    visit(HR, "web:journey_version", "elspeth"),
    visit(HR, "web:journey_version", "marit", state="latest", is_extra=True),
    visit(HR, "web:journey", "elspeth", state="newer version", is_extra=True),
    visit(HR, "web:journey_edit", "marit"),
    visit(HR, "web:journey_withdraw", "marit"),
    visit(
        HR,
        "web:journey_withdraw",
        "marit",
        state="refused",
        is_extra=True,
        do=pressing("Withdraw and end the journey"),
        status=422,
    ),
    visit(HR, "web:journey_close", "marit"),
    visit(HR, "web:journey_close", "hannah", state="asked for"),
    visit(EXECUTIVE, "web:journey_override", "hannah"),
    visit(HR, "web:journey_closed", "owen"),
    visit(HR, "web:participants", "kestrel"),
    visit(HR, "web:participant_remove", "kestrel", "participant"),
    visit(HR, "web:guest_links", "kestrel"),
    visit(
        HR,
        "web:guest_links",
        "theo",
        state="invited",
        do=fill({"E-mail address": "theo@home.example"}, "Make the link and mail it"),
    ),
    visit(
        HR, "web:guest_links", "theo", state="for a helper", is_extra=True, do=unfold("Steps of the helper")
    ),
)

STEPS = (
    visit(HR, "web:step_add", "marit"),
    visit(
        HR, "web:step_add", "marit", state="refused", is_extra=True, do=pressing("Add the step"), status=422
    ),
    visit(HR, "web:step", "marit", "explain-what-ends"),
    visit(HR, "web:step", "marit", a_step(LEAVER, state=StepState.DONE), state="done"),
    visit(HR, "web:step", "marit", a_step(LEAVER, state=StepState.BLOCKED), state="blocked"),
    visit(
        HR, "web:step", "marit", a_step(LEAVER, state=StepState.NOT_NEEDED), state="not needed", is_extra=True
    ),
    visit(
        HR,
        "web:step",
        "elspeth",
        a_step("Elspeth Moran", state=StepState.SKIPPED),
        state="left out",
        is_extra=True,
    ),
    visit(HR, "web:step", "marit", a_step(LEAVER, kind=StepKind.DEPROVISION), state="settled by itself"),
    visit(HR, "web:step", "owen", a_step("Owen Pritchard", evidence=EvidenceKind.FILE), state="with a file"),
    visit(ADMIN, "web:step", "marit", a_step(LEAVER, queue="it_security"), state="to claim"),
    visit(
        HR,
        "web:step_complete",
        "marit",
        "explain-what-ends",
        start=("web:step", "marit", "explain-what-ends"),
        do=pressing("Mark as done"),
        status=422,
    ),
    visit(
        HR,
        "web:step_skip",
        "marit",
        "explain-what-ends",
        start=("web:step", "marit", "explain-what-ends"),
        do=unfold("Leave it out", pressing("Leave it out")),
        status=422,
    ),
    visit(
        HR,
        "web:step_reassign",
        "marit",
        "explain-what-ends",
        start=("web:step", "marit", "explain-what-ends"),
        do=unfold("Give it to somebody else", pressing("Reassign")),
        status=422,
    ),
    visit(
        HR,
        "web:step_comment",
        "marit",
        "explain-what-ends",
        start=("web:step", "marit", "explain-what-ends"),
        do=pressing("Comment"),
        status=422,
    ),
)

OFFICE = (
    visit(HR, "web:people", query="?q=platform"),
    visit(HR, "web:people", state="whole register", is_extra=True),
    visit(HR, "web:people", query="?q=nobody-of-that-name", state="none found", is_extra=True),
    visit(HR, "web:person", "manager"),
    visit(HR, "web:people_import"),
    visit(
        HR,
        "web:people_import",
        state="changes",
        do=upload("CSV file", "people.csv", REGISTER, "Show what would change"),
    ),
    visit(
        HR,
        "web:people_import",
        state="problems",
        is_extra=True,
        do=upload("CSV file", "people.csv", REGISTER + b"no-address,Cy,Sales\n", "Show what would change"),
        status=422,
    ),
    visit(HR, "web:clients"),
    visit(HR, "web:client", "client"),
    visit(HR, "web:clients_import"),
    visit(HR, "web:contracts_import"),
    visit(ADMIN, "web:settings"),
    visit(
        ADMIN,
        "web:settings",
        state="refused",
        is_extra=True,
        do=fill({"Timezone (optional)": "Europe/Atlantis"}, "Keep"),
        status=422,
    ),
    visit(
        ADMIN,
        "web:role_grant",
        start=("web:settings",),
        do=fill({"E-mail address": "nobody"}, "Grant the role"),
        status=422,
    ),
    visit(ADMIN, "web:receivers"),
    visit(ADMIN, "web:receiver", "gateway"),
    visit(ADMIN, "web:receiver", "gateway", state="being tested", do=pressing("Test it")),
    visit(ADMIN, "web:receiver_add"),
    visit(ADMIN, "web:receiver_add", state="refused", is_extra=True, do=pressing("Register it"), status=422),
    visit(ADMIN, "web:receiver_change", "gateway"),
    visit(ADMIN, "web:tokens"),
    visit(ADMIN, "web:tokens", state="made", do=fill({"What is it for?": "payroll"}, "Make the token")),
)

EVIDENCE = (
    visit(HR, "web:evidence_departure", "marit"),
    visit(EXECUTIVE, "web:evidence_departure", "hannah", state="all open", do=deeds.unfold_all),
    visit(HR, "web:audit"),
    visit(HR, "web:audit_sample", "sample"),
    visit(EXECUTIVE, "web:audit_sample", "sample", state="all open", do=deeds.unfold_all),
    visit(
        HR,
        "web:audit_draw",
        start=("web:audit",),
        do=fill({"Seed (optional)": "no seed"}, "Draw"),
        status=422,
    ),
    visit(HR, "web:process"),
    visit(EXECUTIVE, "web:process", query="?department=Studio", state="few", is_extra=True),
    visit(HR, "web:process", query="?since=2100-01-01", state="refused", status=422),
    visit(HR, "web:process_steps", query="?standing=due"),
    visit(HR, "web:process_load", query="?queue=it_security", state="queue", is_extra=True),
    visit(HR, "web:process_load", start=("web:process",), do=deeds.open_a_load),
    visit(ADMIN, "web:evidence"),
    visit(ADMIN, "web:evidence", state="verified", do=pressing("Verify the record")),
    visit(
        ADMIN,
        "web:evidence_verify_pack",
        start=("web:evidence",),
        do=upload("Evidence pack", "pack.zip", b"no pack at all", "Verify the pack"),
    ),
    visit(
        ADMIN,
        "web:evidence_verify_pack",
        state="refused",
        is_extra=True,
        start=("web:evidence",),
        do=pressing("Verify the pack"),
        status=422,
    ),
)

ACCOUNT = (
    visit(HR, "web:account"),
    visit(
        HR,
        "web:account",
        state="refused",
        is_extra=True,
        do=fill({"Timezone (optional)": "Atlantis"}, "Save the timezone"),
        status=422,
    ),
    visit(HR, "account_change_password"),
    visit(HR, "usersessions_list"),
    visit(HR, "mfa_index", state="none"),
    visit(MANAGER, "account_reauthenticate", start=("mfa_activate_totp",)),
    visit(HR, "mfa_activate_totp", do=deeds.confirm_password),
    visit(IT, "mfa_index"),
    visit(IT, "mfa_reauthenticate"),
    visit(IT, "mfa_generate_recovery_codes", do=deeds.confirm_code),
    visit(
        IT,
        "mfa_view_recovery_codes",
        start=("mfa_generate_recovery_codes",),
        do=pressing("Make 10 new codes"),
    ),
    visit(IT, "web:person_shut_out", "manager", do=deeds.confirm_code),
    visit(IT, "web:person_map", "manager", state="empty"),
    visit(IT, "web:person_map", "mapped", state="taken"),
    visit(IT, "web:client_map", "client", state="asking", do=pressing("Ask every system")),
    visit(IT, "web:group_cut", do=deeds.confirm_code),
    visit(
        IT,
        "web:group_cut",
        state="looked at",
        do=fill({"Everybody in a department (optional)": "Studio"}, "Show who is meant"),
    ),
    visit(
        IT,
        "web:group_cut",
        state="unclear",
        do=fill({"A list (optional)": "nobody@nowhere.example"}, "Show who is meant"),
        status=422,
    ),
    visit(IT, "web:client_shut_out", "client", do=deeds.confirm_code),
    visit(IT, "web:cut", start=("web:person_shut_out", "manager"), do=deeds.order_a_cut),
    CHANGED_BY_CONNECTOR,
    visit(IT, "mfa_deactivate_totp"),
    visit(HR, "account_logout"),
)

TROUBLE = (
    visit(HR, path="/no-such-page/", state="not found", status=404),
    visit(BYSTANDER, "web:settings", state="not allowed", status=403),
    visit(
        ADMIN,
        "web:access_apply",
        "elspeth",
        start=("web:access_plan", "elspeth"),
        do=post("web:access_apply", "elspeth"),
        status=409,
    ),
    visit(HR, "web:account", state="form too old", do=post("web:account", token="forged"), status=403),
    visit(HR, "web:account", state="unreadable", do=post("web:account", fields=2000), status=400),
    visit(HR, "web:people", state="broken", around=deeds.broken, status=500),
    visit(NOBODY, path="/", host="office.localhost", state="plain http", around=deeds.any_host, status=403),
)

VISITS = (
    *AT_THE_DOOR,
    *GUESTS,
    *TODAY,
    *JOURNEYS,
    *ROUNDS,
    *STEPS,
    *OFFICE,
    *FIRST_RUN,
    *TEMPLATES,
    *ACCESS,
    *CREDENTIALS,
    *TRANSFERS,
    *GHOSTS,
    *DRAFTS,
    *EVIDENCE,
    *ACCOUNT,
    *TROUBLE,
)
