"""Whether an e-mail address is one that ends with the job."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from partwell.departures.models import Departure
from partwell.departures.states import SubjectKind
from partwell.people.models import Person, PersonAlias, User

# Anybody may have an address here, so sharing the domain with a colleague says nothing.
PUBLIC_MAIL_DOMAINS = frozenset(
    (
        "aol.com",
        "bluewin.ch",
        "fastmail.com",
        "free.fr",
        "gmail.com",
        "gmx.at",
        "gmx.ch",
        "gmx.de",
        "gmx.net",
        "googlemail.com",
        "hey.com",
        "hotmail.com",
        "hotmail.co.uk",
        "hotmail.fr",
        "icloud.com",
        "laposte.net",
        "libero.it",
        "live.com",
        "mac.com",
        "mail.com",
        "mail.de",
        "mail.ru",
        "mailbox.org",
        "me.com",
        "msn.com",
        "orange.fr",
        "outlook.com",
        "outlook.de",
        "pm.me",
        "posteo.de",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "seznam.cz",
        "sfr.fr",
        "t-online.de",
        "tutanota.com",
        "tuta.com",
        "wanadoo.fr",
        "web.de",
        "wp.pl",
        "yahoo.co.uk",
        "yahoo.com",
        "yahoo.de",
        "yahoo.fr",
        "yandex.com",
        "yandex.ru",
        "ymail.com",
        "zoho.com",
    )
)


def is_work_address(departure: Departure, email: str) -> bool:
    """Whether mail to `email` is read with the firm's own account, which ends with the departure.

    That is one of the leaver's addresses in the register, and any address at a domain (or above or below
    one) at which colleagues have theirs. Where in doubt it is a work address: a link that dies too early
    costs a mail, one that outlives the access lets somebody in.
    """
    address = email.strip().lower()
    if departure.subject_kind == SubjectKind.STAFF and address in own_addresses(departure):
        return True
    domain = address.rpartition("@")[2]
    if domain in PUBLIC_MAIL_DOMAINS:
        return False
    if departure.subject_kind == SubjectKind.STAFF:
        own = {a.rpartition("@")[2] for a in own_addresses(departure)} - PUBLIC_MAIL_DOMAINS
        if any(_are_related(domain, other) for other in own):
            return True
    labels = domain.split(".")
    shared = Q(email__iendswith=f".{domain}")
    for start in range(len(labels) - 1):
        shared |= Q(email__iendswith="@" + ".".join(labels[start:]))
    return Person.objects.filter(shared).exists()


def own_accounts(departure: Departure) -> QuerySet[User]:
    """Every account with which the one who leaves signs in to Partwell: the one that the register ties to
    them, and those that are nobody else's and have one of their addresses."""
    if departure.person_id is None:
        return User.objects.none()
    theirs = Q(person_id=departure.person_id) | Q(person=None, address__in=own_addresses(departure))
    return User.objects.annotate(address=Lower("email")).filter(theirs).order_by("pk")


def is_own_address(departure: Departure, email: str) -> bool:
    """Whether the register has this address for the one who leaves."""
    return email.strip().lower() in own_addresses(departure)


def own_addresses(departure: Departure) -> set[str]:
    """Every address by which we know the one who leaves, in lower case."""
    own = {departure.subject_email.lower()}
    if departure.person_id is not None:
        person = Person.objects.filter(pk=departure.person_id).values_list("email", flat=True)
        aliases = PersonAlias.objects.filter(person_id=departure.person_id).values_list("email", flat=True)
        own |= {address.lower() for address in (*person, *aliases)}
    return own - {""}


def _are_related(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
