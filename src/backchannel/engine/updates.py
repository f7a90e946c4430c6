"""How much the user wants to hear unasked: the phrases that say so, by rule. Pure.

A closed set, whole sentences only: a plain "stop" is a stop of the work, and a plain "quiet" is anybody's word.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["TOOL", "level_asked_for", "level_set"]

TOOL: Final = "set_updates"

_LEAD: Final = r"(?:(?:okay|ok|please|now|and|so|hey|can you|could you|i want you to)\s+)*"
_TAIL: Final = r"(?:\s+(?:please|now|for now|from now on|then|thanks))*"
_SILENT: Final = (
    r"(?:be|keep|stay) (?:quiet|silent)|keep it down|shut up|stop talking|don't talk|do not talk"
    r"|no more updates|no updates|stop (?:the|your|all) updates|stop giving me updates"
)
_RESULTS: Final = (
    r"(?:only|just) (?:tell me )?the results?|tell me (?:only |just )?the results?(?: only)?"
    r"|(?:(?:only|just) )?(?:tell me|let me know) (?:only |just )?(?:when|once) "
    r"(?:(?:it is|it's|that is|that's|they are|you are|you're) (?:done|finished|ready)|(?:it|that) is over)"
)
_MILESTONES: Final = (
    r"keep me (?:posted|updated|informed)|(?:normal|the normal|the usual) updates"
    r"|(?:(?:only|just) )?tell me (?:only |just )?(?:about )?the important (?:steps|things)"
    r"|(?:only|just) the important (?:steps|things)"
)
_CHATTY: Final = (
    r"tell me (?:about )?everything|keep me (?:posted|updated|informed) (?:on|about) everything"
    r"|be (?:more )?(?:chatty|talkative)|all (?:the )?updates|give me all (?:the )?updates"
)
_LEVELS: Final = {
    level: re.compile(f"{_LEAD}(?:{phrases}){_TAIL}")
    for level, phrases in (
        ("silent", _SILENT),
        ("results", _RESULTS),
        ("milestones", _MILESTONES),
        ("chatty", _CHATTY),
    )
}
_SET: Final = re.compile(r"\blevel of updates is: (\w+)")
_SAID: Final = {
    "silent": "Okay, I'll be quiet.",
    "results": "Okay, only the results.",
    "milestones": "Okay, I'll tell you the important steps.",
    "chatty": "Okay, I'll tell you everything.",
}


def level_asked_for(sentence: str) -> str | None:
    """The level of updates that a sentence, in small letters and without its signs, asks for; None for none."""
    return next((level for level, pattern in _LEVELS.items() if pattern.fullmatch(sentence)), None)


def level_set(output: str) -> str | None:
    """How to acknowledge the tool's answer; None when it says something else than that a level was set."""
    found = _SET.search(output)
    return None if found is None else _SAID.get(found[1])
