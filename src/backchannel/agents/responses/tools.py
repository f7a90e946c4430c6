"""The tools that a model may use: what it is told of them, and what it asks of them.

Their names and arguments are the reference's, since models know them; what is said of them is ours.

Source: realtime.md 7.1 (a delegated turn uses `exec_command`), app-server.md 5.2.
"""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from backchannel.agents.responses.items import Call

__all__ = ["ApplyPatch", "ExecCommand", "ToolError", "Use", "WriteStdin", "read_call", "tools_json"]

_EXEC: Final = "exec_command"
_STDIN: Final = "write_stdin"
_PATCH: Final = "apply_patch"
_ESCALATED: Final = "require_escalated"
_INTERRUPT: Final = "\x03"
_S = TypeVar("_S")


class ToolError(Exception):
    """A call cannot be carried out; the text is for the model."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExecCommand:
    """Run a command."""

    shell: str
    """As a shell reads it; what a person is shown."""
    argv: tuple[str, ...] | None = None
    """Without a shell."""
    workdir: str | None = None
    limit_s: float | None = None
    yield_s: float | None = None
    """After this it is told what there is, and the command goes on."""
    max_chars: int | None = None
    escalated: bool = False
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WriteStdin:
    """Look after a command that still runs."""

    session_id: int
    stops: bool = False
    yield_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ApplyPatch:
    """Change files."""

    patch: str


Use: TypeAlias = ExecCommand | WriteStdin | ApplyPatch


class _Exec(msgspec.Struct, rename={"sandbox": "sandbox_permissions"}):
    cmd: str | list[str] | None = None
    command: str | list[str] | None = None
    workdir: str | None = None
    timeout_ms: float | None = None
    yield_time_ms: float | None = None
    max_output_tokens: int | None = None
    sandbox: str | None = None
    with_escalated_permissions: bool | None = None
    justification: str | None = None


class _Stdin(msgspec.Struct):
    session_id: int
    chars: str | None = None
    yield_time_ms: float | None = None


class _Patch(msgspec.Struct):
    input: str


def tools_json(*, freeform: bool) -> bytes:
    """What a model is told.

    Args:
        freeform: Whether it writes patches as plain text; else within JSON, which every provider can do.
    """
    text = {"type": "string"}
    milliseconds = {"type": "number"}
    execute = _function(
        _EXEC,
        "Runs a command in a shell and returns its output and exit status. Output that is too long loses its middle. A"
        " command that still runs when the output is returned gets a session id; it ends with the user's task at the"
        " latest. Commands run in a sandbox where there is one; when that is in the way of what the user wants, ask to"
        " go without it.",
        {
            "cmd": {**text, "description": "The command, for a POSIX shell."},
            "workdir": {**text, "description": "Where it runs; the workspace when it is left out."},
            "timeout_ms": {**milliseconds, "description": "When it is stopped; after ten minutes when it is left out."},
            "yield_time_ms": {
                **milliseconds,
                "description": "When its output so far is returned while it runs on. Left out: when it has ended.",
            },
            "max_output_tokens": {"type": "integer", "description": "At most so much of its output is returned."},
            "sandbox_permissions": {
                **text,
                "enum": ["use_default", _ESCALATED],
                "description": "Whether it needs to run without the sandbox; the user may be asked.",
            },
            "justification": {**text, "description": "Why it needs that, in a short sentence for the user."},
        },
        required=["cmd"],
    )
    look_after = _function(
        _STDIN,
        "Waits for a command that exec_command left running, and returns what it has printed since; or stops it.",
        {
            "session_id": {"type": "integer", "description": "Which command."},
            "chars": {**text, "description": "Empty to wait; \\u0003 to stop the command. It takes no other input."},
            "yield_time_ms": {**milliseconds, "description": "How long to wait; until it has ended when left out."},
        },
        required=["session_id"],
    )
    told = (
        "Changes files of the workspace: adds, deletes, moves and edits them, all of it or nothing. The patch begins"
        " with the line `*** Begin Patch` and ends with `*** End Patch`. Between them, for each file, stands one of"
        " `*** Add File: PATH`, followed by its lines, each after a `+`; `*** Delete File: PATH`; or `*** Update File:"
        " PATH`, after which `*** Move to: PATH` may stand, followed by hunks. A hunk begins with `@@`, after which a"
        " line may be given that comes before it, such as the head of its function; its lines begin with a space when"
        " unchanged, `-` when old and `+` when new. Give about three unchanged lines around each change, and no line"
        " numbers."
    )
    if freeform:
        patch: dict[str, object] = {"type": "custom", "name": _PATCH, "description": told}
    else:
        patch = _function(_PATCH, told, {"input": {**text, "description": "The whole patch."}}, required=["input"])
    return msgspec.json.encode([execute, look_after, patch])


def _function(name: str, told: str, properties: dict[str, object], *, required: list[str]) -> dict[str, object]:
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"type": "function", "name": name, "description": told, "strict": False, "parameters": parameters}


def read_call(call: Call) -> Use:
    """What a call asks for.

    Raises:
        ToolError: There is no such tool, or it cannot be asked so.
    """
    match call.name:
        case "exec_command":
            return _exec(_arguments(call, _Exec))
        case "write_stdin":
            return _stdin(_arguments(call, _Stdin))
        case "apply_patch":
            return ApplyPatch(call.arguments if call.is_freeform else _arguments(call, _Patch).input)
        case _:
            raise ToolError(f"There is no tool {call.name[:60]!r}; there are {_EXEC}, {_STDIN} and {_PATCH}.")


def _arguments(call: Call, kind: type[_S]) -> _S:
    try:
        return msgspec.json.decode(call.arguments, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise ToolError(f"The arguments of {call.name} do not fit: {exc}") from exc


def _exec(given: _Exec) -> ExecCommand:
    command = given.cmd if given.cmd is not None else given.command
    if not command or (isinstance(command, str) and not command.strip()):
        raise ToolError(f"{_EXEC} needs cmd, the command to run.")
    argv: tuple[str, ...] | None = None
    match command:
        case str():
            shell = command
        case [program, "-c" | "-lc", script] if program.rpartition("/")[2] in {"sh", "bash"}:
            # The shell is ours to choose, and what it runs is what a person wants to see.
            shell = script
        case _:
            argv, shell = tuple(command), shlex.join(command)
    if "\0" in shell:
        raise ToolError("A command cannot hold the character NUL.")
    return ExecCommand(
        shell=shell,
        argv=argv,
        workdir=given.workdir or None,
        limit_s=_seconds(given.timeout_ms, "timeout_ms"),
        yield_s=_seconds(given.yield_time_ms, "yield_time_ms"),
        max_chars=None if given.max_output_tokens is None else max(0, given.max_output_tokens) * 4,
        escalated=given.sandbox == _ESCALATED or bool(given.with_escalated_permissions),
        reason=" ".join((given.justification or "").split()),
    )


def _stdin(given: _Stdin) -> WriteStdin:
    chars = given.chars or ""
    if chars not in {"", _INTERRUPT}:
        raise ToolError("Commands take no input here; give empty chars to wait, or \\u0003 to stop the command.")
    yield_s = _seconds(given.yield_time_ms, "yield_time_ms")
    return WriteStdin(session_id=given.session_id, stops=chars == _INTERRUPT, yield_s=yield_s)


def _seconds(milliseconds: float | None, name: str) -> float | None:
    if milliseconds is not None and not milliseconds >= 0:
        raise ToolError(f"{name} must not be negative, got {milliseconds}.")
    return None if milliseconds is None else milliseconds / 1000
