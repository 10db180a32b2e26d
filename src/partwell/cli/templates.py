"""`partwell templates …`: read the published templates, check and publish one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.journeys.template.check import check
from partwell.journeys.template.model import PHASES, TemplateStep
from partwell.journeys.template_operations import publish_template
from partwell.journeys.template_queries import TemplateSummary, list_templates, show_template
from partwell.people.actors import console_actor
from partwell.people.roles import ROLE_LABELS
from partwell.refusals import Invalid, Refusal

app = typer.Typer(
    name="templates", help="Journey templates: list, show, check, publish.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TemplateFile = Annotated[Path, typer.Argument(metavar="F", help="A template in YAML.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the latest version of every template."""
    try:
        items = [_summary(found) for found in list_templates(actor=console_actor())]
    except Refusal as refusal:
        raise _refuse(refusal, as_json) from refusal
    if as_json:
        _print_json({"items": items, "next": None})
        return
    for item in items:
        typer.echo(f"{item['id']:<32} v{item['version']:<4} {item['steps']:>3} steps  {item['title']}")


@app.command("show")
def show(
    template_id: Annotated[str, typer.Argument(metavar="ID", help="As `templates list` names it.")],
    version: Annotated[int | None, typer.Option(help="An older version; the latest without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a template with all its steps."""
    try:
        found = show_template(template_id=template_id, actor=console_actor(), version=version)
    except Refusal as refusal:
        raise _refuse(refusal, as_json) from refusal
    if as_json:
        body = found.template.model_dump(mode="json", exclude={"steps"})
        steps = [step.model_dump(mode="json") for step in found.template.steps]
        _print_json({**body, **_summary(found), "steps": steps})
        return
    typer.echo(f"{found.version.title} ({found.version})\n\n{found.template.summary}")
    for phase, name in PHASES.items():
        typer.echo(f"\n{phase}. {name}")
        if reason := found.template.empty_phases.get(phase):
            typer.echo(f"   No steps: {reason}")
        for step in found.template.steps:
            if step.phase == phase:
                typer.echo(_line(step))


@app.command("check")
def check_(file: TemplateFile, as_json: AsJson = False) -> None:
    """Check a template's text: problems with file and line, none when it can be published."""
    try:
        problems = check(_read(file), file=str(file))
    except Refusal as refusal:
        raise _refuse(refusal, as_json) from refusal
    items = [{"file": p.file, "line": p.line, "field": p.field, "message": p.message} for p in problems]
    count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'} in {file}"
    if as_json:
        answer: dict[str, Any] = {"items": items, "next": None}
        if problems:
            message = f"{count}, the first on line {problems[0].line}: {problems[0].message}"
            answer["error"] = {"code": "template_broken", "field": problems[0].field, "message": message}
        _print_json(answer)
    else:
        for problem in problems:
            typer.echo(str(problem))
        typer.echo(f"{count}." if problems else f"{file}: no problems.", err=True)
    if problems:
        raise typer.Exit(1)


@app.command("publish")
def publish(file: TemplateFile, as_json: AsJson = False) -> None:
    """Publish a template's text as its next version; journeys that run keep theirs."""
    try:
        version = publish_template(text=_read(file), actor=console_actor(), now=clock.now(), file=str(file))
    except Refusal as refusal:
        raise _refuse(refusal, as_json) from refusal
    if as_json:
        _print_json({"id": version.template_id, "version": version.version, "digest": version.digest})
    else:
        typer.echo(f"{version} is published; its digest is {version.digest}.")


def _summary(found: TemplateSummary) -> dict[str, Any]:
    return {
        "id": found.version.template_id,
        "version": found.version.version,
        "digest": found.version.digest,
        "title": found.version.title,
        "audience": found.version.audience,
        "steps": len(found.template.steps),
        "journeys": found.journeys,
        "published_at": found.version.published_at.isoformat(),
    }


def _line(step: TemplateStep) -> str:
    condition = f"  when {step.when}" if step.when else ""
    return f"   {step.key:<28} {ROLE_LABELS[step.role]:<18} {step.due:<34} {step.title}{condition}"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Invalid(
            "file_unreadable", f"{file} cannot be read: {why}. Name a template's YAML file.", field="file"
        ) from error


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def _refuse(refusal: Refusal, as_json: bool) -> typer.Exit:
    if as_json:
        _print_json({"error": refusal.as_dict()})
    else:
        typer.echo(refusal.message, err=True)
    return typer.Exit(refusal.exit_code)
