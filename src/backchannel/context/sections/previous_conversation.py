"""The section `Previous Conversation`: what was said in this thread the last time, and what was done since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backchannel.context.sections.body import (
    OURS,
    Line,
    Section,
    body_tokens,
    cut,
    heading_tokens,
    lines,
    section,
    time_of,
)
from backchannel.context.sections.current_thread import is_contextual
from backchannel.core import Outcome
from backchannel.threads import AgentSaid, TurnEnded, UserAsked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.context.sections.body import Body
    from backchannel.threads import PastConversation

__all__ = ["previous_conversation_section"]

TITLE: Final = "Previous Conversation"
_BLANK: Final = Line("", OURS)
_MAX_UTTERANCE_TOKENS: Final = 60
_MAX_EVENT_TOKENS: Final = 120
_SINCE: Final = Line("Since then:", OURS)
_NOTHING_SINCE: Final = Line("Nothing was asked or done since then.", OURS)
_OUTCOMES: Final = {
    Outcome.COMPLETED: "",
    Outcome.FAILED: "The work failed.",
    Outcome.INTERRUPTED: "The work was stopped.",
}


def previous_conversation_section(past: PastConversation | None, *, max_tokens: int, origin: str) -> Section | None:
    """The end of the last conversation and the last that was done since, each as much as fits; None without any.

    Of what has to be left out, the oldest goes first. What was done since gets up to half of the room, and what it does
    not need is the conversation's.
    """
    if past is None:
        return None
    intro = Line(
        f"You have talked about this before, until {time_of(past.ended_at_ms)}. Go on from there: greet briefly, and do"
        " not tell it again unless you are asked. How it ended:",
        OURS,
    )
    room = max_tokens - heading_tokens(TITLE) - body_tokens((intro, _BLANK, _SINCE, _BLANK))
    since = _newest(_events(past, origin), room // 2)
    told = (_BLANK, _SINCE, *since) if since else (_BLANK, _NOTHING_SINCE)
    said = _newest(
        (
            _utterance("User" if each.speaker == "user" else "You", each.text, _MAX_UTTERANCE_TOKENS, origin)
            for each in reversed(past.said)
        ),
        room - body_tokens(told),
    )
    return section(TITLE, (intro, *said, *told), max_tokens=max_tokens)


def _events(past: PastConversation, origin: str) -> Iterable[Body]:
    """What happened since, the newest first."""
    for event in reversed(past.since):
        match event:
            case UserAsked(text=text) if not is_contextual(text):
                yield _utterance("- Asked", text, _MAX_EVENT_TOKENS, origin)
            case AgentSaid(text=text):
                yield _utterance("- Result", text, _MAX_EVENT_TOKENS, origin)
            case TurnEnded(outcome=outcome) if _OUTCOMES[outcome]:
                yield (Line(f"- {_OUTCOMES[outcome]}", origin),)
            case _:
                pass


def _utterance(who: str, text: str, max_tokens: int, origin: str) -> Body:
    return cut(lines(f"{who}: {' '.join(text.split())}", origin), max_tokens=max_tokens)


def _newest(told: Iterable[Body], max_tokens: int) -> Body:
    """As many as fit of what is told newest first, in the order in which it happened.

    Whatever does not fit is not even looked at.
    """
    kept: list[Body] = []
    left = max_tokens
    for each in told:
        # With its end.
        left -= body_tokens((*each, _BLANK))
        if left < 0:
            break
        kept.append(each)
    return tuple(line for each in reversed(kept) for line in each)
