"""What of a written text can be said: its first paragraph as a sentence or two, without code and tables. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_SENTENCES", "MAX_SPOKEN_CHARS", "spoken_form"]

MAX_SPOKEN_CHARS: Final = 240
MAX_SENTENCES: Final = 2

_MAX_READ: Final = 20_000
"""No more than this much of a text is looked at."""
_FENCE: Final = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.DOTALL | re.MULTILINE)
_PARAGRAPHS: Final = re.compile(r"\n[ \t]*\n")
_DIFF_LINE: Final = re.compile(r"^(diff --git |index [0-9a-f]{6,}|@@ |--- |\+\+\+ |[+][^ \d]|[-][^ \d-])")
_TABLE_LINE: Final = re.compile(r"^\s*\|.*\||^[\s|:+=-]{3,}$")
_MARKER: Final = re.compile(r"^\s*(?:#{1,6}\s+|>\s?|[-*•+]\s+|\d{1,3}[.)]\s+)")
_LINK: Final = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_EMPHASIS: Final = re.compile(r"\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)|`")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])[\"”')\]]*\s+")
_CODE_SIGNS: Final = frozenset("{}[]<>;=|\\$&^~@#*_`()")
_MAX_CODE_SHARE: Final = 0.15


def spoken_form(text: str) -> str:
    """The first paragraph of `text` that is prose, cut to what a person listens to; empty when there is none."""
    prose = _FENCE.sub("\n\n", text[:_MAX_READ].replace("\r\n", "\n"))
    for paragraph in _PARAGRAPHS.split(prose):
        lines = [_MARKER.sub("", line) for line in paragraph.split("\n") if _is_prose(line)]
        words = " ".join(_plain(" ".join(lines)).split())
        if any(sign.isalnum() for sign in words):
            return _cut(words)
    return ""


def _is_prose(line: str) -> bool:
    stripped = line.strip()
    if not stripped or _DIFF_LINE.match(line) or _TABLE_LINE.match(line):
        return False
    # A line of code shows in its signs. Names in back quotes are prose, so those quotes do not count by themselves.
    signs = sum(sign in _CODE_SIGNS for sign in _LINK.sub(r"\1", stripped).replace("`", "").replace("**", ""))
    return signs / len(stripped) <= _MAX_CODE_SHARE


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", _EMPHASIS.sub("", _LINK.sub(r"\1", text)))


def _cut(words: str) -> str:
    sentences = _SENTENCE_END.split(words, maxsplit=MAX_SENTENCES)[:MAX_SENTENCES]
    # The split takes the space and closing quotes away, so the text is measured rather than joined again.
    end = 0
    for count, sentence in enumerate(sentences):
        start = words.index(sentence, end)
        if count and start + len(sentence) > MAX_SPOKEN_CHARS:
            break
        end = start + len(sentence)
    said = words[:end]
    if len(said) <= MAX_SPOKEN_CHARS:
        return said
    head = said[: MAX_SPOKEN_CHARS - 1]
    at = head.rfind(" ")
    return (head[:at] if at > MAX_SPOKEN_CHARS // 2 else head).rstrip(",;:- ") + "…"
