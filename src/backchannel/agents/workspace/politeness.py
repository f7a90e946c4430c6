"""The polite words around a request, and how they come off. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backchannel.agents.workspace.words import Word

__all__ = ["phrase_at", "phrases", "trimmings"]


def phrases(listed: str) -> tuple[list[str], ...]:
    """Phrases listed with `|` between, as words."""
    return tuple(phrase.split() for phrase in listed.split("|"))


_OPENINGS: Final = phrases(
    "i would like you to|i would like to|i want you to|i want to|i need you to|i need to"
    "|i would love to|do me a favor and|do me a favour and"
    "|could you|can you|would you|will you|would you mind|could we|can we|can i|could i|may i"
    "|shall we|let us|go ahead and|you should"
    "|forget that and|forget it and|drop that and|leave that and|never mind and|never mind that and"
    "|no instead|instead|rather"
    "|thank you|thanks|okay|alright|all right|right|hello|hey|hi|so|well|and|then|now|next|also"
    "|first|great|good|yes|yeah|sure|actually|maybe|like|quickly|just quickly|just|agent|backchannel"
    "|computer"
)
_CLOSINGS: Final = phrases(
    "for me|for us|to me|right now|now|then|again|thanks|thank you|okay|instead|if you can"
    "|if possible|would you|will you|could you|can you|real quick|once more|one more time|a moment"
    "|too|as well|at the moment|currently|first"
)


def trimmings(words: list[Word]) -> Iterator[list[Word]]:
    """The words with all politeness cut off first, then with less, lastly as they are.

    So `search for now` still has something to search for, and `search for timeout now` searches for `timeout`.
    """
    seen: set[tuple[int, int]] = set()
    starts = [0]
    while (length := phrase_at(words, starts[-1], _OPENINGS)) and starts[-1] + length < len(words):
        starts.append(starts[-1] + length)
    ends = [len(words)]
    while (length := _phrase_before(words, ends[-1], _CLOSINGS)) and ends[-1] - length > 0:
        ends.append(ends[-1] - length)
    for end in reversed(ends):
        for start in reversed(starts):
            if start < end and (start, end) not in seen:
                seen.add((start, end))
                yield words[start:end]


def phrase_at(words: list[Word], at: int, listed: tuple[list[str], ...]) -> int:
    """The length of the first listed phrase that stands at a place; 0 when none does."""
    for phrase in listed:
        if [word.normal for word in words[at : at + len(phrase)]] == phrase:
            return len(phrase)
    return 0


def _phrase_before(words: list[Word], end: int, phrases: tuple[list[str], ...]) -> int:
    for phrase in phrases:
        if end >= len(phrase) and [word.normal for word in words[end - len(phrase) : end]] == phrase:
            return len(phrase)
    return 0
