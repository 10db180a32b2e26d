"""Every page inside, by the name that templates and refusals lead to."""

from __future__ import annotations

from django.urls import URLPattern, path

from partwell.web import account, find, home

app_name = "web"
urlpatterns: list[URLPattern] = [
    path("", home.home, name="home"),
    path("find/", find.find, name="find"),
    path("account/", account.account, name="account"),
]
