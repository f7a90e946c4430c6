"""What the agent is told when the voice hands work over: the delegation envelope.

Source: realtime.md 5.1 for the frame and its escaping; the bounds are ours: an envelope is at most 8192 estimated
tokens (4 bytes each, tags included); the input keeps its head and tail and is left at least 2048 tokens, the
transcript keeps its tail. Lengths are counted after escaping and no entity is cut.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "BYTES_PER_TOKEN",
    "MAX_ENVELOPE_TOKENS",
    "MIN_INPUT_TOKENS",
    "is_for_later",
    "parse_delegation",
    "render_delegation",
    "render_tail",
    "without_lead",
]

BYTES_PER_TOKEN: Final = 4
MAX_ENVELOPE_TOKENS: Final = 8192
MIN_INPUT_TOKENS: Final = 2048

_TASK: Final = r"(?: (?:this|that|the) \s (?:(?:current|running) \s)? (?:task|one|run|job) | this | that | it )"
_DONE: Final = r"(?: done | finished | complete | completed | through | over ) \b"
# U+2019 is the apostrophe of typographers, and of what recognises speech.
_LATER: Final = re.compile(
    rf"""\W* (?: (?:and|then|also|okay|ok|please) \W+ )*
    (?: after \s {_TASK}
        # What happens after something that is named, or that went wrong, is no order: "after this test fails",
        # "after it broke the build". An order goes on with what is to be done, or with a pause.
        (?= ,
          | \s (?: please | then | also | let['\u2019]?s | (?:can|could|would|will) \s you | you \s (?:can|should) ) \b
          | \s (?!\w+ (?:ed|s) \b | (?:broke|did|gave|got|had|hit|lost|made|ran|threw|took|went) \b) \w+
            (?: \s (?: a | all | an | another | every\w* | it | my | our | some | the | them | these | this | those ) \b
              | [.!]? \s* \Z )
        )
      | (?: after | as \s soon \s as | once | when ) \s
        (?: (?: you | {_TASK} ) (?: \s (?: are | is | have | has ) | ['\u2019]? (?: re | s | ve ) ) \s {_DONE}
          | you \s finish (?: \s {_TASK} )? (?= , | \s )
          | {_TASK} \s (?: finishes | ends ) \b (?! \s with \b )
        )
      | (?: once | when ) \s (?: done | finished ) ,
      | afterwards? \b
      | next ,
      | as \s the \s next \s (?: thing | task ) \b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_OPEN: Final = "<realtime_delegation>\n"
_CLOSE: Final = "</realtime_delegation>"
TAIL: Final = (
    "The conversation by voice is over. What was said last in it was not handed over to you; here it is. It is for"
    " your knowledge: act on it only where it clearly asks for something."
)
"""What the agent is asked where a conversation ends with words that were handed over to nobody."""
_TAIL_SOURCE: Final = "transcript_tail_flush"
_INPUT_CUT: Final = "… input truncated …"
_TRANSCRIPT_CUT: Final = "… earlier transcript truncated …\n"


def render_delegation(text: str, transcript: str = "") -> str:
    """The envelope for a request.

    Args:
        text: What the user asked for.
        transcript: What was said since the previous delegation, one `role: text` line an utterance; left out when
            empty.
    """
    request = _escape(text)
    said = _escape(transcript)
    frame = _size(_frame("", "" if not said else "x")) - (1 if said else 0)
    room = MAX_ENVELOPE_TOKENS * BYTES_PER_TOKEN - frame
    if said:
        room_for_input = max(MIN_INPUT_TOKENS * BYTES_PER_TOKEN, room - _size(said))
        request = _keep_ends(request, room_for_input)
        said = _keep_tail(said, room - _size(request))
    else:
        request = _keep_ends(request, room)
    return _frame(request, said)


def render_tail(transcript: str) -> str:
    """The envelope for what was said at the end of a conversation, which asks for nothing.

    Args:
        transcript: As of `render_delegation`.
    """
    said = _escape(transcript)
    frame = _size(_frame(TAIL, "x", source=_TAIL_SOURCE)) - 1
    return _frame(TAIL, _keep_tail(said, MAX_ENVELOPE_TOKENS * BYTES_PER_TOKEN - frame), source=_TAIL_SOURCE)


def parse_delegation(text: str) -> str:
    """The request inside an envelope, unescaped; text that is no envelope is itself the request."""
    if not (text.startswith(_OPEN) and text.endswith(_CLOSE)):
        return text
    request, is_whole, _ = text.partition("<input>")[2].partition("</input>")
    return _unescape(request) if is_whole else text


def is_for_later(words: str) -> bool:
    """Whether a request says, at its beginning, that it is to be done after what is being done now.

    In doubt it does not: a change that reaches the agent too early is read by it as it was meant, while one that waits
    cannot be heard.
    """
    return _LATER.match(words) is not None


def without_lead(words: str) -> str:
    """A request that is for later without the words that say so; the request itself where nothing else is in it."""
    lead = _LATER.match(words)
    rest = words[lead.end() :].lstrip(" \t\n,.:;-\u2013\u2014\u2026") if lead is not None else words
    return rest or words


def _frame(request: str, said: str, *, source: str | None = None) -> str:
    origin = f"  <source>{source}</source>\n" if source else ""
    delta = f"  <transcript_delta>{said}</transcript_delta>\n" if said else ""
    return f"{_OPEN}{origin}  <input>{request}</input>\n{delta}{_CLOSE}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _keep_ends(text: str, max_bytes: int) -> str:
    if _size(text) <= max_bytes:
        return text
    room = max_bytes - _size(_INPUT_CUT)
    head = _head(text, room // 2)
    return head + _INPUT_CUT + _tail(text, room - _size(head))


def _keep_tail(text: str, max_bytes: int) -> str:
    if _size(text) <= max_bytes:
        return text
    return _TRANSCRIPT_CUT + _tail(text, max_bytes - _size(_TRANSCRIPT_CUT))


def _head(text: str, max_bytes: int) -> str:
    head = text.encode("utf-8", "surrogatepass")[:max_bytes].decode("utf-8", "ignore")
    before, ampersand, entity = head.rpartition("&")
    return before if _is_cut(ampersand, entity) else head


def _tail(text: str, max_bytes: int) -> str:
    data = text.encode("utf-8", "surrogatepass")
    start = len(data) - max_bytes
    tail = data[start:].decode("utf-8", "ignore")
    _, ampersand, entity = data[:start].decode("utf-8", "ignore").rpartition("&")
    return tail.partition(";")[2] if _is_cut(ampersand, entity) else tail


def _is_cut(ampersand: str, entity: str) -> bool:
    # An escaped text has `&` only at the start of an entity, so a last `&` without its `;` is a cut one.
    return bool(ampersand) and ";" not in entity
