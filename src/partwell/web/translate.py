"""From a refusal to a page, or to a fragment where htmx asked.

Rooms below raise; this is the one place where the web turns their refusals into answers. A view with a
form catches `Invalid` and `Conflict` itself with `put_refusal`, so that what was typed is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from partwell.refusals import FreshSignInNeeded, NotAllowed, NotFound, Refusal
from partwell.web.session import signed_in


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asked, and so wants a fragment instead of a page."""
    return request.headers.get("HX-Request") == "true"


def put_refusal(form: BaseForm, refusal: Refusal) -> None:
    """Show the refusal at the field it is about, or on top of the form."""
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to `url`, whether it asked itself or htmx did."""
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def answer(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The page or fragment that says what was refused, why, and the way out."""
    if isinstance(refusal, FreshSignInNeeded):
        return ask_again(request)
    if is_htmx(request):
        fragment = render(request, "web/includes/refusal.html", {"refusal": refusal}, status=refusal.status)
        fragment.headers["HX-Retarget"] = "#pw-notices"
        fragment.headers["HX-Reswap"] = "innerHTML show:window:top"
        return fragment
    page = {NotFound: "errors/404.html", NotAllowed: "errors/403.html"}.get(
        type(refusal), "errors/refused.html"
    )
    return render(request, page, {"refusal": refusal}, status=refusal.status)


def ask_again(request: HttpRequest) -> HttpResponse:
    """Lead to the second factor and back to the page where the operation was asked for.

    Whoever has none yet is led to setting one up. What was asked is not repeated on its own: somebody who
    comes back reads the page once more before they press the button.
    """
    back = _page_of(request)
    if is_mfa_enabled(signed_in(request)):
        return go_to(request, f"{reverse('mfa_reauthenticate')}?{urlencode({'next': back})}")
    messages.warning(
        request, "This needs a second factor, and you have none yet. Set one up, then come back."
    )
    return go_to(request, reverse("mfa_activate_totp"))


def _page_of(request: HttpRequest) -> str:
    """The page the person looked at: for a GET the request itself, otherwise where it was sent from."""
    if request.method == "GET" and not is_htmx(request):
        return request.get_full_path()
    seen = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "")
    if seen.netloc != request.get_host() or not seen.path.startswith("/"):
        return "/"
    return seen.path + (f"?{seen.query}" if seen.query else "")


class RefusalMiddleware:
    """Turns a refusal that no view caught into its answer. The transaction is over by then."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer refusals of pages; the API has its own translation."""
        if not isinstance(exception, Refusal) or request.path.startswith("/api/"):
            return None
        return answer(request, exception)
