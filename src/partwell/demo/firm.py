"""Harbour & Vale: who works there and whom they serve. Written as the CSV files that a firm would import.

The people with a part in a departure are named one by one. Their colleagues are drawn from lists, always in
the same way, so that every demo is the same firm.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

COMPANY = "Harbour & Vale"
DOMAIN = "harbourvale.example"
PEOPLE = 120
OLD_DOMAIN = "harbour-digital.example"
"""The firm that became Harbour & Vale; older colleagues still have an address there."""


@dataclass(frozen=True)
class Place:
    """Where people work."""

    country: str
    timezone: str


BERLIN = Place("DE", "Europe/Berlin")
LONDON = Place("GB", "Europe/London")
DUBLIN = Place("IE", "Europe/Dublin")
LISBON = Place("PT", "Europe/Lisbon")
WARSAW = Place("PL", "Europe/Warsaw")
AUSTIN = Place("US", "America/Chicago")
SINGAPORE = Place("SG", "Asia/Singapore")


@dataclass(frozen=True)
class Colleague:
    """One row of the staff register."""

    name: str
    title: str
    department: str
    place: Place
    manager: str = ""
    years: float = 3
    employment: str = "permanent"

    @property
    def email(self) -> str:
        return address(self.name)

    @property
    def username(self) -> str:
        first, *_, last = plain(self.name).split()
        return f"{first[0]}{last}".replace("-", "")


CAST = (
    Colleague("Helen Marsh", "Managing director", "Management", LONDON, years=14),
    Colleague("Daniel Achterberg", "Head of finance", "Finance", BERLIN, "Helen Marsh", 9),
    Colleague("Amara Osei", "Head of People & Culture", "People & Culture", BERLIN, "Helen Marsh", 6),
    Colleague("Ingrid Solheim", "General counsel", "Legal", LONDON, "Helen Marsh", 5),
    Colleague("Joon-ho Baek", "Head of platform", "Platform", BERLIN, "Helen Marsh", 7),
    Colleague("Nadia Ferreira", "Head of client services", "Client services", LISBON, "Helen Marsh", 8),
    Colleague("Priya Raman", "IT security lead", "IT", LONDON, "Helen Marsh", 5),
    Colleague("Tomasz Wrona", "IT systems engineer", "IT", WARSAW, "Priya Raman", 4),
    Colleague("Camille Roche", "Head of studio", "Studio", LONDON, "Helen Marsh", 6),
    Colleague("Desmond Clarke", "Head of support", "Support", AUSTIN, "Helen Marsh", 5),
    Colleague("Marit Lindqvist", "Senior backend engineer", "Platform", BERLIN, "Joon-ho Baek", 6.4),
    Colleague("Viktor Sandell", "Infrastructure engineer", "Platform", BERLIN, "Joon-ho Baek", 2.6),
    Colleague("Hannah Vogel", "Data engineer", "Platform", BERLIN, "Joon-ho Baek", 3.1),
    Colleague("Theo Lambert", "Frontend engineer", "Platform", BERLIN, "Joon-ho Baek", 1.8),
    Colleague("Ana Petrova", "Site reliability engineer", "Platform", BERLIN, "Joon-ho Baek", 2.2),
    Colleague("Rafael Teixeira", "Account manager", "Client services", LONDON, "Nadia Ferreira", 5.2),
    Colleague("Saoirse Kelly", "Account manager", "Client services", DUBLIN, "Nadia Ferreira", 3.4),
    Colleague("Lukas Brandt", "Account manager", "Client services", BERLIN, "Nadia Ferreira", 2.9),
    Colleague("Beatriz Nunes", "Account manager", "Client services", LISBON, "Nadia Ferreira", 4.1),
    Colleague("Mei Tanaka", "Project lead", "Client services", SINGAPORE, "Nadia Ferreira", 3.7),
    Colleague("Grant Whitfield", "IT contractor", "IT", LONDON, "Priya Raman", 1.3, "contractor"),
    Colleague("Luis Ortega", "Support engineer", "Support", AUSTIN, "Desmond Clarke", 4.5),
    Colleague("Elspeth Moran", "Office manager", "Management", LONDON, "Helen Marsh", 21),
    Colleague("Sofia Lindgren", "UX researcher", "Studio", LONDON, "Camille Roche", 2.4),
    Colleague("Owen Pritchard", "Motion designer", "Studio", LONDON, "Camille Roche", 3.9),
)

_FIRST_NAMES = """
Aoife Bartosz Chiara Dmitri Elena Felix Greta Hassan Imogen Jakub Katarzyna Liam Maya Noah Oluwaseun
Paulo Quentin Rosa Stefan Tabea Ulrike Vera Wei Xenia Yusuf Zoe Arjun Brigid Carlos Dorota Emeka
Freya Goran Hanna Isaac Jasmin Kofi Leila Mateusz Niamh
"""
_LAST_NAMES = """
Adeyemi Bianchi Costa Dvorak Eriksen Fischer Gallagher Hughes Ivanov Jensen Kowalski Lefevre Mbeki
Novak Okafor Pereira Quinn Rossi Schmidt Tan Ueda Vasquez Wagner Xu Yilmaz Zielinska Andersen
Brennan Chandra Dahl
"""
_FIRST, _LAST = _FIRST_NAMES.split(), _LAST_NAMES.split()
_TEAMS = (
    ("Platform", "Joon-ho Baek", ("Backend engineer", "Frontend engineer", "Test engineer"), BERLIN),
    ("Client services", "Nadia Ferreira", ("Project manager", "Account executive"), LISBON),
    ("Studio", "Camille Roche", ("Designer", "Copywriter", "Brand designer"), LONDON),
    ("Support", "Desmond Clarke", ("Support engineer", "Support specialist"), AUSTIN),
    ("Platform", "Joon-ho Baek", ("Backend engineer", "Mobile engineer"), WARSAW),
    ("Client services", "Nadia Ferreira", ("Search consultant", "Project manager"), SINGAPORE),
    ("Studio", "Camille Roche", ("Photographer", "UX designer"), DUBLIN),
    ("Finance", "Daniel Achterberg", ("Accountant", "Payroll specialist"), BERLIN),
)

# Reference, name, account manager, contacts (name, local part), tier, country, contract, months it runs.
_CLIENTS = (
    ("BDG", "Brightwater Dental Group", "Saoirse Kelly", "brightwater-dental", "care plan", "IE"),
    ("KES", "Kestrel Outdoor GmbH", "Lukas Brandt", "kestrel-outdoor", "retainer", "DE"),
    ("NMT", "Northlight Museum Trust", "Beatriz Nunes", "northlight-museum", "care plan", "GB"),
    ("ALD", "Alder & Finch Solicitors", "Rafael Teixeira", "alderfinch", "care plan", "GB"),
    ("BEL", "Bellweather Insurance", "Rafael Teixeira", "bellweather", "key account", "GB"),
    ("CAL", "Calloway Ferries", "Saoirse Kelly", "calloway-ferries", "retainer", "IE"),
    ("CIN", "Cinder Coffee Roasters", "Beatriz Nunes", "cindercoffee", "project", "PT"),
    ("DUN", "Dunmore Agricultural Co-op", "Saoirse Kelly", "dunmore-coop", "care plan", "IE"),
    ("EBB", "Ebbe & Flut Reederei", "Lukas Brandt", "ebbeflut", "key account", "DE"),
    ("FJO", "Fjordlys Energi", "Lukas Brandt", "fjordlys", "retainer", "NO"),
    ("GRA", "Granary Lane Bakeries", "Rafael Teixeira", "granarylane", "care plan", "GB"),
    ("HAL", "Halcyon Clinics", "Beatriz Nunes", "halcyon-clinics", "key account", "PT"),
    ("IRO", "Ironbridge Logistics", "Rafael Teixeira", "ironbridge-logistics", "project", "GB"),
    ("JUN", "Juniper House Hotels", "Beatriz Nunes", "juniperhouse", "retainer", "PT"),
    ("KIR", "Kirschbaum Verlag", "Lukas Brandt", "kirschbaum-verlag", "care plan", "DE"),
    ("LAN", "Lantern Street Theatre", "Saoirse Kelly", "lanternstreet", "care plan", "IE"),
    ("MER", "Meridian Freight Asia", "Mei Tanaka", "meridianfreight", "key account", "SG"),
    ("NOR", "Nordmole Shipyards", "Lukas Brandt", "nordmole", "project", "DE"),
    ("OAK", "Oakhaven Schools Trust", "Rafael Teixeira", "oakhaven-schools", "care plan", "GB"),
    ("PEL", "Pelican Bay Foods", "Mei Tanaka", "pelicanbay", "retainer", "SG"),
    ("QUI", "Quillon Instruments", "Beatriz Nunes", "quillon", "project", "PT"),
    ("RED", "Redgate Pharmacies", "Saoirse Kelly", "redgate-pharmacies", "retainer", "IE"),
    ("SOL", "Solmar Resorts", "Beatriz Nunes", "solmar-resorts", "key account", "PT"),
    ("TEX", "Texas Hill Wineries", "Nadia Ferreira", "texashillwine", "project", "US"),
    ("WEL", "Wellspring Housing Association", "Rafael Teixeira", "wellspring-housing", "care plan", "GB"),
)
_CONTACTS = (
    "Orla Byrne;Fintan Doyle",
    "Sabine Kestner;Jörg Amann",
    "Philippa Grant;Ravi Menon",
    "Edmund Finch",
    "Yvonne Achebe;Colin Straker;Meera Pillai;Tom Askew",
)


def plain(text: str) -> str:
    """Lower case, and without accents: what names become in addresses."""
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o"))
    return "".join(letter for letter in folded if not unicodedata.combining(letter)).lower()


def address(name: str) -> str:
    """The work address of somebody with this name."""
    return f"{plain(name).replace(' ', '.')}@{DOMAIN}"


def colleagues() -> list[Colleague]:
    """All 120 people, the named ones first."""
    people = list(CAST)
    taken = {person.name for person in people}
    number = 0
    while len(people) < PEOPLE:
        name = f"{_FIRST[number % len(_FIRST)]} {_LAST[(number * 7 + number // len(_FIRST)) % len(_LAST)]}"
        team, head, titles, place = _TEAMS[number % len(_TEAMS)]
        number += 1
        if name in taken:
            continue
        taken.add(name)
        people.append(
            Colleague(
                name,
                titles[number % len(titles)],
                team,
                place,
                head,
                years=0.5 + (number * 37 % 90) / 10,
                employment="fixed-term" if number % 13 == 0 else "permanent",
            )
        )
    return people


def number_of(position: int) -> str:
    """The employee number of the person at this place in the register."""
    return f"20{position + 700:03d}"


def people_csv(today: date) -> bytes:
    """The staff register as HR would export it."""
    rows = [
        (
            person.email,
            person.name,
            address(person.manager) if person.manager else "",
            person.department,
            person.title,
            (today - timedelta(days=round(person.years * 365))).isoformat(),
            person.place.country,
            person.place.timezone,
            person.employment,
            f"{person.username}@{OLD_DOMAIN}" if person.years > 5 else "",
            person.username if position < len(CAST) else f"{person.username}{position}",
            number_of(position),
        )
        for position, person in enumerate(colleagues())
    ]
    header = (
        "email,name,manager_email,department,title,start_date,country,timezone,employment_type,aliases,"
        "username,employee_number"
    )
    return _csv(header, rows)


def clients_csv() -> bytes:
    """The client register: one row for each contact."""
    rows = []
    for position, (ref, name, manager, domain, tier, country) in enumerate(_CLIENTS):
        for contact in contacts_of(position):
            local = plain(contact).split()[0]
            rows.append((ref, name, address(manager), contact, f"{local}@{domain}.example", tier, country))
    return _csv("client_ref,name,account_manager_email,contact_name,contact_email,tier,country", rows)


def contacts_of(position: int) -> list[str]:
    """Who speaks for the client at this place in the list."""
    if position < len(_CONTACTS):
        return _CONTACTS[position].split(";")
    first = _FIRST[(position * 11 + 5) % len(_FIRST)]
    return [f"{first} {_LAST[(position * 13 + 3) % len(_LAST)]}"]


def contracts_csv(today: date) -> bytes:
    """One contract for each client; those that are about to end do so close to `today`."""
    ends = {"BDG": today + timedelta(days=8), "NMT": today - timedelta(days=24)}
    titles = {
        "care plan": "Website care and hosting",
        "retainer": "Search and content retainer",
        "project": "Website rebuild",
        "key account": "Digital services framework",
    }
    laws = {"GB": "England and Wales", "IE": "Ireland", "DE": "Germany", "PT": "Portugal", "SG": "Singapore"}
    rows = []
    for position, (ref, _name, _manager, _domain, tier, country) in enumerate(_CLIENTS):
        end = ends.get(ref, today + timedelta(days=70 + position * 23))
        start = end - timedelta(days=365 * (1 + position % 4))
        rows.append((ref, titles[tier], start.isoformat(), end.isoformat(), "90", laws.get(country, country)))
    return _csv("client_ref,title,start_date,end_date,notice_days,governing_law", rows)


def _csv(header: str, rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return text.getvalue().encode()
