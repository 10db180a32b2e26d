"""Keeps accounts in a text file, one a line: id:login:mail:number:state:groups:sessions

A question comes as JSON on stdin; the answer goes as JSON to stdout. It reads before it writes, and replaces
the file whole, so that a kill at any moment leaves the old one or the new one.
"""

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

FIELDS = ("id", "login", "mail", "number", "state", "groups", "sessions")


def read(path: Path) -> list[dict[str, str]]:
    rows = [line.split(":") for line in path.read_text().splitlines() if line]
    return [dict(zip(FIELDS, row, strict=True)) for row in rows]


def write(path: Path, people: list[dict[str, str]]) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text("".join(":".join(person[f] for f in FIELDS) + "\n" for person in people))
    fresh.replace(path)


def groups(person: dict[str, str]) -> list[str]:
    return [name for name in person["groups"].split(",") if name]


def shown(person: dict[str, str]) -> dict[str, Any]:
    return {
        "id": person["id"],
        "login": person["login"],
        "active": person["state"] == "open",
        "emails": [person["mail"]],
        "employee_number": person["number"],
        "groups": [{"id": name, "name": name.title()} for name in groups(person)],
        "done": {"suspend": person["state"] == "locked", "revoke_sessions": person["sessions"] == "0"},
    }


def found(question: dict[str, Any], people: list[dict[str, str]]) -> list[dict[str, str]]:
    identity = question["identity"]
    wanted = {word.casefold() for word in (*identity["emails"], *identity["usernames"]) if word}
    number = identity["employee_number"]
    return [
        person
        for person in people
        if {person["login"].casefold(), person["mail"].casefold()} & wanted
        or (number and person["number"] == number)
    ]


def change(question: dict[str, Any], person: dict[str, str]) -> str | None:
    """What the question wants of one person; the words for the record."""
    do = question["do"]
    if do == "suspend":
        person["state"] = "locked"
        return "locked in the till's file"
    if do == "revoke_sessions":
        person["sessions"] = "0"
        return "sessions set to none"
    if do == "remove_entitlements":
        person["groups"] = ""
        return "taken out of all groups"
    if do == "restore" and question["verb"] == "suspend":
        person["state"] = "open"
        return "opened again"
    if do == "restore" and question["verb"] == "remove_entitlements":
        person["groups"] = ",".join(group["id"] for group in question["snapshot"]["groups"])
        return "back in its groups"
    return None


def answer(question: dict[str, Any]) -> dict[str, Any]:
    path = Path(question["settings"]["file"])
    if os.environ.get("TILL_PIN") != "4711":
        return {"error": {"kind": "denied", "says": "The till's PIN is wrong."}}
    do = question["do"]
    if do == "test":
        return {"ok": os.access(path, os.W_OK), "says": f"The file has {len(read(path))} accounts."}
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        people = read(path)
        if do == "find":
            return {"accounts": [shown(person) for person in found(question, people)]}
        if do == "list":
            start = int(question["after"] or 0)
            page = {"accounts": [shown(person) for person in people[start : start + 2]]}
            return page | ({"next": str(start + 2)} if start + 2 < len(people) else {})
        person = next((each for each in people if each["id"] == question["account"]["id"]), None)
        if do == "read":
            return {"absent": True} if person is None else {"account": shown(person)}
        if person is None:
            return {"outcome": "absent"}
        before = dict(person)
        says = change(question, person)
        if says is None:
            return {"error": {"kind": "invalid", "says": f"It does not know how to {do}."}}
        if person == before:
            return {"outcome": "already", "says": says}
        write(path, people)
        return {"outcome": "done", "says": says}


json.dump(answer(json.load(sys.stdin)), sys.stdout)
