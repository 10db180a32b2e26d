"""Every page inside, by the name that templates and refusals lead to."""

from __future__ import annotations

from django.urls import URLPattern, path

from partwell.web import (
    access,
    account,
    changing,
    evidence,
    find,
    first_run,
    home,
    journeys,
    starting,
    steps,
    systems,
)

app_name = "web"
_D = "departures/<uuid:departure_id>"
_S = f"{_D}/steps/<slug:key>"
urlpatterns: list[URLPattern] = [
    path("", home.home, name="home"),
    path("live/", home.home_live, name="home_live"),
    path("find/", find.find, name="find"),
    path("account/", account.account, name="account"),
    path("welcome/", first_run.welcome, name="welcome"),
    path("steps/", steps.my_steps, name="my_steps"),
    path("notices/<uuid:notice_id>/decline/", starting.decline_notice, name="notice_decline"),
    path("departures/", journeys.departures, name="departures"),
    path("departures/new/", starting.start, name="departure_start"),
    path(f"{_D}/", journeys.journey, name="journey"),
    path(f"{_D}/live/", journeys.journey_live, name="journey_live"),
    path(f"{_D}/dates/", changing.dates, name="journey_dates"),
    path(f"{_D}/facts/", changing.facts, name="journey_edit"),
    path(f"{_D}/withdraw/", changing.withdraw, name="journey_withdraw"),
    path(f"{_D}/close/", changing.close, name="journey_close"),
    path(f"{_D}/override/", changing.override, name="journey_override"),
    path(f"{_D}/closed/", changing.closed, name="journey_closed"),
    path(f"{_D}/steps/new/", steps.add, name="step_add"),
    path(f"{_S}/", steps.step, name="step"),
    path(f"{_S}/complete/", steps.complete, name="step_complete"),
    path(f"{_S}/skip/", steps.skip, name="step_skip"),
    path(f"{_S}/undo/", steps.undo, name="step_undo"),
    path(f"{_S}/claim/", steps.claim, name="step_claim"),
    path(f"{_S}/reassign/", steps.reassign, name="step_reassign"),
    path(f"{_S}/comment/", steps.comment, name="step_comment"),
    path(f"{_S}/files/<uuid:file_id>/", steps.attachment, name="step_file"),
    # Access, connected systems, evidence
    path("access/", access.overview, name="access_overview"),
    path(f"{_D}/access/", access.plan, name="access_plan"),
    path(f"{_D}/access/live/", access.live, name="access_live"),
    path(f"{_D}/access/make/", access.make, name="access_make"),
    path(f"{_D}/access/approve/", access.approve, name="access_approve"),
    path(f"{_D}/access/apply/", access.apply, name="access_apply"),
    path(f"{_D}/access/verify/", access.verify, name="access_verify"),
    path(f"{_D}/access/link/<slug:system>/", access.link, name="access_link"),
    path(f"{_D}/access/say/", access.say, name="access_say"),
    path(f"{_D}/access/restore/", access.restore, name="access_restore"),
    path("systems/", systems.overview, name="systems"),
    path("systems/add/", systems.add, name="system_add"),
    path("systems/<slug:name>/", systems.system, name="system"),
    path("systems/<slug:name>/test/", systems.test, name="system_test"),
    path("systems/<slug:name>/test/live/", systems.test_live, name="system_test_live"),
    path("evidence/", evidence.overview, name="evidence"),
    path("evidence/pack/", evidence.verify_uploaded, name="evidence_verify_pack"),
    path(f"{_D}/evidence/", evidence.departure, name="evidence_departure"),
    path(f"{_D}/evidence/export/", evidence.export, name="evidence_export"),
]
