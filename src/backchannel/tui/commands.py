"""What is typed at a terminal: a line for the agent, or a command for us."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, TypeAlias

from backchannel import core
from backchannel.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMMANDS", "Answer", "Command", "Line", "Mute", "Quit", "Status", "Stop", "Updates", "read_line"]


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """Something for the agent."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """How is it going?"""


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """Stop the running task."""


@dataclasses.dataclass(frozen=True, slots=True)
class Quit:
    """End the conversation."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mute:
    """Switch the microphone off or on."""

    muted: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Updates:
    """Choose how much the voice says unasked."""

    level: core.Speech


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Answer the agent's request for permission."""

    approved: bool
    approval_id: str | None
    """None: the only one that waits."""


Command: TypeAlias = Line | Status | Stop | Quit | Mute | Updates | Answer
"""Everything that can be typed."""

_LEVELS: Final = tuple(level.value for level in core.Speech if level is not core.Speech.IMMEDIATE)


def _bare(command: Command) -> Callable[[str], Command]:
    def make(rest: str) -> Command:
        if rest:
            raise UsageError(f"expected nothing after it, got {rest!r}")
        return command

    return make


def _updates(rest: str) -> Command:
    if rest not in _LEVELS:
        raise UsageError(f"expected one of {', '.join(_LEVELS)} after it, got {rest!r}")
    return Updates(core.Speech(rest))


def _answer(*, approved: bool) -> Callable[[str], Command]:
    return lambda rest: Answer(approved, rest or None)


COMMANDS: Final[dict[str, Callable[[str], Command]]] = {
    "/status": _bare(Status()),
    "/stop": _bare(Stop()),
    "/mute": _bare(Mute(muted=True)),
    "/unmute": _bare(Mute(muted=False)),
    "/updates": _updates,
    "/approve": _answer(approved=True),
    "/decline": _answer(approved=False),
    "/quit": _bare(Quit()),
}
"""The commands by name."""


def read_line(line: str) -> Command | None:
    """What a line says; None when it says nothing.

    Raises:
        UsageError: It is a command that does not exist, or one that is used wrongly.
    """
    text = line.strip()
    if not text.startswith("/"):
        return Line(text) if text else None
    name, _, rest = text.partition(" ")
    make = COMMANDS.get(name)
    if make is None:
        raise UsageError(f"unknown command {name}; there are {', '.join(COMMANDS)}")
    try:
        return make(rest.strip())
    except UsageError as exc:
        raise UsageError(f"{name}: {exc}") from exc
