"""Form widgets that browsers understand whatever the language of the page."""

from __future__ import annotations

from django import forms

# Browsers take and give ISO dates here, and show them in the reader's own way.
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
