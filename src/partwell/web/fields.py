"""Form widgets that browsers understand whatever the language of the page, and words that guard."""

from __future__ import annotations

from typing import Any

from django import forms

# Browsers take and give ISO dates here, and show them in the reader's own way.
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class TypedWordForm(forms.Form):
    """A form whose field `word` has to be typed as `wanted`, whatever its case; `mistake` says what may be
    wrong otherwise."""

    mistake = "you may be looking at somebody else."

    def __init__(self, *args: Any, wanted: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted
        self.fields["word"].label = f"Type {wanted} to confirm"

    def clean_word(self) -> str:
        """The typed word. Raises `ValidationError` for another one."""
        word = str(self.cleaned_data["word"]).strip()
        if word.casefold() != self.wanted.casefold():
            raise forms.ValidationError(f"Type {self.wanted}; {self.mistake}")
        return word
