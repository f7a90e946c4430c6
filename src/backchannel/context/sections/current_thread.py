"""The section `Current Thread`: the latest turns of the very thread that the conversation belongs to.

Source: realtime.md 9.3.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from backchannel.context.sections.body import OURS, Line, Section, body_tokens, cut, heading_tokens, quoted, section
from backchannel.threads import AgentSaid, PeerSaid, UserAsked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.context.sections.body import Body
    from backchannel.threads import Entry

__all__ = ["Turn", "current_thread_section", "is_contextual", "turns_of"]

TITLE: Final = "Current Thread"
_INTRO: Final = Line(
    "The latest turns of this very thread, newest first, so that the conversation can go on from there.", OURS
)
_BLANK: Final = Line("", OURS)
_FRAMES: Final = (
    "<environment_context>",
    "<realtime_conversation>",
    "<realtime_delegation>",
    "<skill>",
    "<subagent_notification>",
    "<turn_aborted>",
    "<user_instructions>",
    "<user_shell_command>",
    "# AGENTS.md instructions",
)
"""How messages in the user's role begin that no user wrote."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the user asked, and what came of it."""

    asked: str
    at_ms: int
    answers: tuple[str, ...] = ()


def is_contextual(text: str) -> bool:
    """Whether a message in the user's role is one that a program wrote: surroundings, envelopes, instructions."""
    return text.lstrip().startswith(_FRAMES)


def turns_of(entries: Iterable[Entry]) -> tuple[Turn, ...]:
    """The turns that a thread's entries make up, oldest first: each message of the user begins one."""
    turns: list[Turn] = []
    for entry in entries:
        match entry:
            case UserAsked(text=text, at_ms=at_ms) if text.strip() and not is_contextual(text):
                turns.append(Turn(asked=text.strip(), at_ms=at_ms))
            case AgentSaid(text=text) if text.strip() and turns:
                turns[-1] = dataclasses.replace(turns[-1], answers=(*turns[-1].answers, text.strip()))
            case PeerSaid(author=author, text=text) if text.strip() and turns:
                told = f"Agent message from {author}:\n{text.strip()}"
                turns[-1] = dataclasses.replace(turns[-1], answers=(*turns[-1].answers, told))
            case _:
                pass
    return tuple(turns)


def current_thread_section(
    turns: Iterable[Turn], *, max_tokens: int, max_turn_tokens: int, origin: str
) -> Section | None:
    """The newest turns that fit, each within a budget of its own; None where there are none.

    Args:
        turns: Oldest first.
        max_tokens: Of the section.
        max_turn_tokens: Of each turn.
        origin: Where the turns come from.
    """
    body: Body = (_INTRO,)
    # Each line costs its end too, so that what fits here is not cut again as a whole.
    remaining = max_tokens - heading_tokens(TITLE) - body_tokens((*body, _BLANK))
    for age, turn in enumerate(reversed(tuple(turns))):
        if remaining <= 1:
            break
        shown = cut(_rendered(turn, age, origin=origin), max_tokens=min(max_turn_tokens, remaining - 1))
        if shown:
            body = (*body, _BLANK, *shown)
            remaining -= body_tokens((_BLANK, *shown, _BLANK))
    return section(TITLE, body, max_tokens=max_tokens) if len(body) > 1 else None


def _rendered(turn: Turn, age: int, *, origin: str) -> Body:
    heading = "### Latest turn" if age == 0 else f"### Previous turn {age}"
    body: Body = (Line(heading, OURS), Line("User:", OURS), *quoted(turn.asked, origin))
    if turn.answers:
        body += (_BLANK, Line("Assistant:", OURS), *quoted("\n\n".join(turn.answers), origin))
    return body
