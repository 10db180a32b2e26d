"""`partwell templates …`: read and compare the published templates, check and publish one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.cli.template_words import comparison_as_text, dependencies_as_text, difference_as_text
from partwell.journeys.template.check import check
from partwell.journeys.template.model import PHASES, TemplateStep
from partwell.journeys.template_comparisons import compare_templates, diff_versions, show_dependencies
from partwell.journeys.template_operations import publish_template
from partwell.journeys.template_queries import TemplateSummary, list_templates, show_template
from partwell.journeys.upkeep_operations import confirm_template_review, set_template_owner
from partwell.journeys.upkeep_queries import list_upkeep, show_upkeep
from partwell.people.actors import console_actor
from partwell.people.queries import find_user
from partwell.people.roles import ROLE_LABELS
from partwell.refusals import Invalid

app = typer.Typer(
    name="templates",
    help="Journey templates: list, show, compare, check, publish, own.",
    no_args_is_help=True,
)

TemplateFile = Annotated[Path, typer.Argument(metavar="F", help="A template in YAML.")]


@app.command("list")
@speaks
def list_(as_json: AsJson = False) -> None:
    """List the latest version of every template."""
    items = [found.as_dict() for found in list_templates(actor=console_actor())]
    columns = ("id", "version", "steps", "journeys", "title")
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(([item[c] for c in columns] for item in items), columns),
    )


@app.command("show")
@speaks
def show(
    template_id: Annotated[str, typer.Argument(metavar="ID", help="As `templates list` names it.")],
    version: Annotated[int | None, typer.Option(help="An older version; the latest without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a template with all its steps."""
    found = show_template(template_id=template_id, actor=console_actor(), version=version)
    body = found.template.model_dump(mode="json")
    answer({**body, **found.as_dict(), "steps": body["steps"]}, as_json=as_json, text=lambda: _as_text(found))


@app.command("compare")
@speaks
def compare(
    left: Annotated[str, typer.Argument(metavar="A", help="ID, or ID@VERSION for an older version.")],
    right: Annotated[str, typer.Argument(metavar="B", help="As A.")],
    as_json: AsJson = False,
) -> None:
    """Show two templates side by side: what they share and what one alone has, by phase and role."""
    found = compare_templates(left=left, right=right, actor=console_actor())
    answer(found.as_dict(), as_json=as_json, text=lambda: comparison_as_text(found))


@app.command("diff")
@speaks
def diff(
    template_id: Annotated[str, typer.Argument(metavar="ID", help="As `templates list` names it.")],
    old: Annotated[
        int | None, typer.Option("--from", help="A version; the one before the other without it.")
    ] = None,
    new: Annotated[int | None, typer.Option("--to", help="A version; the latest without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what one version of a template changed of another, texts word by word."""
    found = diff_versions(template_id=template_id, actor=console_actor(), old=old, new=new)
    answer(found.as_dict(), as_json=as_json, text=lambda: difference_as_text(found))


@app.command("map")
@speaks
def map_(
    template_id: Annotated[str, typer.Argument(metavar="ID", help="As `templates list` names it.")],
    version: Annotated[int | None, typer.Option(help="An older version; the latest without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what waits for what in a template, the longest chain, and the steps that hold up most."""
    found, links = show_dependencies(template_id=template_id, actor=console_actor(), version=version)
    head = {"id": found.version.template_id, "version": found.version.version}
    answer(
        {**head, **links.as_dict()},
        as_json=as_json,
        text=lambda: dependencies_as_text(found.template, links),
    )


@app.command("check")
@speaks
def check_(file: TemplateFile, as_json: AsJson = False) -> None:
    """Check a template's text: problems with file and line, none when it can be published."""
    problems = check(read_template(file), file=str(file))
    count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'} in {file}"
    data = listing({"file": p.file, "line": p.line, "field": p.field, "message": p.message} for p in problems)
    if problems:
        first = problems[0]
        message = f"{count}, the first on line {first.line}: {first.message}"
        data["error"] = {"code": "template_broken", "field": first.field, "message": message}
    if as_json or problems:
        answer(data, as_json=as_json, text="\n".join(str(problem) for problem in problems))
    if not as_json:
        say(f"{count}." if problems else f"{file}: no problems.")
    if problems:
        raise typer.Exit(1)


@app.command("publish")
@speaks
def publish(file: TemplateFile, as_json: AsJson = False) -> None:
    """Publish a template's text as its next version; journeys that run keep theirs."""
    version = publish_template(
        text=read_template(file), actor=console_actor(), now=clock.now(), file=str(file)
    )
    answer(
        {"id": version.template_id, "version": version.version, "digest": version.digest},
        as_json=as_json,
        text=f"{version} is published; its digest is {version.digest}.",
    )


@app.command()
@speaks
def upkeep(as_json: AsJson = False) -> None:
    """List who answers for each template, and when somebody last read it."""
    now = clock.now()
    rows = [found.as_dict(now) for found in list_upkeep(actor=console_actor())]
    answer(
        listing(rows),
        as_json=as_json,
        text=lambda: table(
            (
                [row["id"], row["owner"] or "nobody", row["last_read_at"] or "never", ", ".join(row["lacks"])]
                for row in rows
            ),
            ("Template", "Owner", "Last read", "Lacks"),
        ),
    )


@app.command()
@speaks
def own(
    template_id: Annotated[str, typer.Argument(metavar="ID", help="As `templates list` names it.")],
    owner: Annotated[str, typer.Argument(metavar="EMAIL", help="Who answers for it; `nobody` for nobody.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say who answers for a template, all its versions."""
    actor, now = acting(as_email), clock.now()
    to = None if owner == "nobody" else find_user(owner, field="owner")
    set_template_owner(template_id=template_id, to=to, actor=actor, now=now)
    found = show_upkeep(template_id=template_id, actor=actor).as_dict(now)
    answer(found, as_json=as_json, text=f"{found['owner'] or 'Nobody'} answers for {template_id}.")


@app.command()
@speaks
def reviewed(
    template_id: Annotated[str, typer.Argument(metavar="ID", help="As `templates list` names it.")],
    note: Annotated[str, typer.Option(help="What was looked at; kept as evidence.")],
    version: Annotated[
        int | None, typer.Option(help="The version that was read; the latest without it.")
    ] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that a template was read and still holds."""
    actor, now = acting(as_email), clock.now()
    current = show_upkeep(template_id=template_id, actor=actor).version.version
    confirm_template_review(
        template_id=template_id, version=version or current, note=note, actor=actor, now=now
    )
    found = show_upkeep(template_id=template_id, actor=actor).as_dict(now)
    answer(found, as_json=as_json, text=f"{template_id} version {found['version']} was read and holds.")


def _as_text(found: TemplateSummary) -> str:
    lines = [f"{found.version.title} ({found.version})", "", found.template.summary]
    for phase, name in PHASES.items():
        lines += ["", f"{phase}. {name}"]
        if reason := found.template.empty_phases.get(phase):
            lines.append(f"   No steps: {reason}")
        lines += [_line(step) for step in found.template.steps if step.phase == phase]
    return "\n".join(lines)


def _line(step: TemplateStep) -> str:
    condition = f"  when {step.when}" if step.when else ""
    return f"   {step.key:<28} {ROLE_LABELS[step.role]:<18} {step.due:<34} {step.title}{condition}"


def read_template(file: Path) -> str:
    """The text of a template's file. Raises `Invalid` (`file_unreadable`)."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Invalid(
            "file_unreadable", f"{file} cannot be read: {why}. Name a template's YAML file.", field="file"
        ) from error
