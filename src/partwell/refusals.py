"""The ways in which Partwell says no.

Every refusal names what was refused (`code`), which input it is about (`field`, empty when none) and the
way out (`message`). The faces translate: the CLI into an exit code, the API into problem+json, the web
into a message beside the field. Lower rooms raise, they never translate.
"""

from __future__ import annotations


class Refusal(Exception):
    """A request that was understood and declined. Nothing was changed."""

    status = 409
    exit_code = 1

    def __init__(self, code: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    def as_dict(self) -> dict[str, str]:
        """The shape that every face shows: `{"code", "field", "message"}`."""
        return {"code": self.code, "field": self.field, "message": self.message}


class Invalid(Refusal):
    """The input is wrong in itself: a date before another, an unknown code, an unreadable file."""

    status = 422


class Conflict(Refusal):
    """The input is fine, but not in the present state of things."""

    status = 409


class NotFound(Refusal):
    """There is no such thing, or the asker may not know that there is."""

    status = 404

    def __init__(self, what: str = "page") -> None:
        super().__init__("not_found", f"There is no such {what}, or you are not among the people who see it.")


class NotAllowed(Refusal):
    """The asker may know of the thing, but may not do this to it."""

    status = 403
    exit_code = 3


class FreshSignInNeeded(NotAllowed):
    """The operation needs a sign-in that is recent and used a second factor."""

    def __init__(self) -> None:
        super().__init__(
            "fresh_sign_in_needed",
            "Confirm that it is you: sign in again with your second factor, then repeat this.",
        )
