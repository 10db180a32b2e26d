"""Every page inside, by the name that templates and refusals lead to."""

from __future__ import annotations

from django.urls import URLPattern, path

from partwell.web import (
    account,
    changing,
    find,
    first_run,
    guest_links,
    guests,
    home,
    invitations,
    journeys,
    my_departure,
    starting,
    steps,
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
    path(f"{_D}/guests/", guest_links.links, name="guest_links"),
    path(f"{_D}/guests/<uuid:link_id>/revoke/", guest_links.revoke, name="guest_revoke"),
    path("my-departure/", my_departure.page, name="my_departure"),
    path("my-departure/steps/<slug:key>/", my_departure.step, name="my_departure_step"),
    path("invitation/<str:token>/", invitations.invitation, name="invitation"),
    path("g/", guests.page, name="guest_page"),
    path("g/steps/<slug:key>/", guests.step, name="guest_step"),
    path("g/leave/", guests.leave, name="guest_leave"),
    path("g/new-link/", guests.renew, name="guest_renew"),
    path("g/<str:token>/", guests.open_link, name="guest_open"),
]
