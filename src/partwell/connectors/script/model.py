"""The YAML of a script connector, key by key. The reference page and the JSON Schema follow from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from partwell.connector_kit.contract import Reversibility, Verb
from partwell.connector_kit.declared import Declaration, Limits, Part

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=60)]
Argument = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class CommandVerb(Part):
    """One verb that the command can do."""

    read_back: StrictBool = Field(
        description="Whether `read` shows in `done` that it is so; `false`: never more than accepted."
    )
    undone: Reversibility = Field(description="How far the command's `restore` puts it back.")


class ScriptDeclaration(Declaration):
    """Something that a local command can do, for what has no interface."""

    kind: Literal["script"] = Field(description="Always `script` here.")
    command: list[Argument] = Field(
        min_length=1,
        max_length=20,
        description="The program and its arguments; no shell. `./NAME` is a file beside the declaration.",
    )
    environment: dict[Variable, str] = Field(
        default_factory=dict, description="Constant variables, beside PATH, LANG, HOME and TMPDIR."
    )
    secrets: dict[Variable, str] = Field(
        default_factory=dict,
        description="Variables that hold secrets, each with the secret setting that it comes from.",
    )
    timeout_seconds: StrictInt = Field(
        default=20, ge=1, le=110, description="After this the command and its children are killed."
    )
    largest_answer_kb: StrictInt = Field(
        default=1024, ge=1, le=8192, description="A longer answer is a failure."
    )
    limits: Limits = Field(description="How often the command may be started.")
    lists_accounts: StrictBool = Field(default=False, description="Whether it answers `list`.")
    verbs: dict[Verb, CommandVerb] = Field(
        default_factory=dict, description="What it can do. A verb that is not here is a task for a person."
    )
