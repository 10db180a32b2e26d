"""By what the provider knows a person: subject identifiers (RFC 9493)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity

EMAIL, ISS_SUB, OPAQUE = "email", "iss_sub", "opaque"
_WORDS = {"email": "e-mail", "username": "user name", "employee_number": "employee number"}


class Subjects:
    """The settings `subject`, `subject_from` and `subject_issuer`: the form, and where it is taken from."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._format = str(settings.get("subject", EMAIL))
        self._source = "email" if self._format == EMAIL else str(settings.get("subject_from", "username"))
        self._issuer = str(settings.get("subject_issuer") or settings["issuer_url"])

    @property
    def are_subs(self) -> bool:
        """Whether people are told by the `sub` that stands in their tokens too."""
        return self._format != EMAIL

    def of(self, identity: Identity) -> dict[str, str]:
        """The names under which the provider may know somebody, each with the reason in words.

        Raises INVALID where nothing is on record to tell it: the provider was not asked, so nothing is known.
        """
        facts = {
            "email": tuple(mail.lower() for mail in identity.emails),
            "username": identity.usernames,
            "employee_number": (identity.employee_number,),
        }[self._source]
        word = _WORDS[self._source]
        found = {fact: f"{word} {fact}" for fact in facts if fact}
        if not found:
            raise ConnectorError(
                ErrorKind.INVALID,
                f"The provider is told people by their {word}, and none is on record for this person, so "
                "nothing can be said of an account there.",
            )
        return found

    def identifier(self, name: str) -> dict[str, str]:
        """The subject identifier of one name."""
        return {
            EMAIL: {"format": EMAIL, "email": name},
            OPAQUE: {"format": OPAQUE, "id": name},
            ISS_SUB: {"format": ISS_SUB, "iss": self._issuer, "sub": name},
        }[self._format]
