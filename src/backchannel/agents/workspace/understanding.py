"""From words to requests, by pattern; pure, and there is no language model anywhere.

Two readings are tried. First the sentences: patterns that must match the whole text, with open slots for what to search
for and which file to show. Then the bags: a request is also meant when every word of the text belongs to its small
vocabulary and the words that carry it are there, whatever their order. So a word nobody foresaw (a negation, a verb
that writes) makes the text mean nothing: None, never a guess. Only when both fail are likely errors of hearing undone
(`words.mended`) and the readings tried once more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from backchannel.agents.workspace.bags import read_bags
from backchannel.agents.workspace.politeness import phrase_at, phrases, trimmings
from backchannel.agents.workspace.requests import Also, Faster, Instead, Narrow, Request, Steer, Stop
from backchannel.agents.workspace.sentences import place, read_sentence
from backchannel.agents.workspace.vocabulary import PLACE_PATTERN, word_set
from backchannel.agents.workspace.words import Word, mended, normal, split

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONVERSATION", "spoken_intent", "understand", "understand_steer", "wants_writing"]

CONVERSATION: Final = frozenset(
    " ".join(phrase)
    for phrase in phrases(
        "yes|yes please|yeah|yep|sure|right|no|no thanks|mute|un mute|unmute|hello|hello there|hi|hi there|hey"
        "|hey there"
        "|good morning|good afternoon|good evening|thanks|thank you|thanks a lot|thank you very much|great|great thanks"
        "|good|okay|okay thanks|fine|perfect|goodbye|good bye|bye|bye bye|see you"
    )
)
"""What belongs to the conversation and asks nothing of the agent, in lower case without punctuation."""


def understand(text: str) -> Request | None:
    """The request that a text is, or None when it is none that we know.

    Args:
        text: What a person typed or a recogniser wrote down. Any text at all is allowed.
    """
    for words in _readings(text):
        request = _understand(words)
        if request is not None:
            return request
    return None


def understand_steer(text: str) -> Steer | None:
    """What a text asks of the work that runs, or None.

    Only `instead` (or `forget that and ...`) makes a request replace the running one; without it, it comes after.
    """
    for words in _readings(text):
        steer = _understand_steer(words)
        if steer is not None:
            return steer
    return None


def spoken_intent(text: str) -> str | None:
    """The name of the request or steer that a text is (`RunTests`, `Narrow` ...), or None."""
    meaning = understand(text) or understand_steer(text)
    return None if meaning is None else type(meaning).__name__


_WRITES: Final = word_set(
    "delete remove write create edit fix rename move push commit merge rebase checkout install deploy add "
    "update refactor implement format revert undo reset change upgrade publish release clean replace"
)


def wants_writing(text: str) -> bool:
    """Whether a text that was not understood asks for something that changes files; only to answer it better."""
    return any(word.normal in _WRITES for word in split(text) or [])


def _readings(text: str) -> Iterator[list[Word]]:
    """The words as they came, then with likely errors undone."""
    words = split(text)
    if words:
        yield words
        better = mended(words)
        if better is not None:
            yield better


def _understand(words: list[Word]) -> Request | None:
    for trimmed in trimmings(words):
        request = read_sentence(trimmed)
        if request is not None:
            return request
    for trimmed in trimmings(words):
        bag = read_bags(normal(trimmed))
        if bag is not None:
            return bag
    return None


_STOPS: Final = re.compile(
    "(?:no |okay |please |just |now |can you |could you |would you |i want you to |hold on |wait "
    "|no no |you can |you should |hey )*"
    r"(?:stop|cancel|abort|quit|enough|halt|kill|end)(?: stop)*"
    "(?: (?:running|doing|working|with|on|now|it|that|this|all|everything|the|those|tests|test|run"
    "|search|work|there|right|suite|task|job|for|me|please|what|you|are|them))*"
    "|(?:okay |no |oh )?(?:never mind|forget it|forget about it|forget that|leave it|that is enough"
    "|that is fine|drop it|no stop|hold on stop|enough of that|that will do)(?: thanks)?"
)
_FASTERS: Final = re.compile(
    "(?:can|could|would) (?:it|that|you) (?:go|be|do it|make it|run|speed up) ?(?:a bit |a little "
    "|it )?(?:faster|quicker|up)?|"
    "(?:please |make it |do it |do that |run it |run them |go |be |a bit |a little |work "
    "|run the tests |much )*(?:faster|quicker|more quickly|quick)(?: now)?|"
    r"hurry(?: it)?(?: up)?|speed (?:it |this |that |things )?up|be quick(?: about it)?|"
    "(?:just )?(?:stop|end|quit|abort) (?:at|on|after|with) the (?:first|next) (?:failure|error"
    "|failing test|one)|fail fast|"
    r"(?:skip|leave out|without|drop|no) (?:the )?slow (?:ones|tests)|"
    r"(?:only|just) (?:run )?(?:the )?(?:fast|quick) (?:ones|tests)|(?:run )?fewer(?: tests)?|"
    r"(?:that|this|it) (?:takes|is taking) (?:too|so|very) long|(?:this|it|that) is (?:too|so|very) slow"
)
_SLOT: Final = (
    r"(?:(?:the|our|my|all|all the) )?(?P<where>\S+(?: \S+){0,3}?)(?: (?:folder|directory|part|module"
    "|package|area))?"
    r"(?: tests| test| ones| suite)?(?: only)?"
)
_ONLY_VERB: Final = "run|do|test|check|want|look|search|the tests|the ones|tests|look only"
_LIMITED: Final = "it|that|this|the tests|the run|the search|yourself"
_NOTHING_BUT: Final = (
    "nothing but|skip everything but|skip everything except|everything except for|i only want|i just want|i only need"
    "|i just need|i only care about|i just care about|i want only|all i need is|all i want is"
)
_NARROWS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:only|just) (?:(?:{_ONLY_VERB}) )*(?:(?:in|for|at|of|from|inside|under) )?{_SLOT}",
        rf"(?:run|do|test|check|search|look)(?: in)? (?:only|just) (?:(?:in|for|at|inside) )?{_SLOT}",
        rf"(?:limit|restrict|narrow|confine|reduce|keep) (?:{_LIMITED}) (?:down )?to {_SLOT}",
        rf"(?:narrow it down|stick|switch|change|change it|keep) to (?:only |just )?{_SLOT}",
        rf"(?:focus|concentrate) on (?:only |just )?{_SLOT}",
        rf"(?:{_NOTHING_BUT}) {_SLOT}",
        (
            r"(?:(?:run|do|test|check|in) )?(?:the )?(?P<where>\S+(?: \S+){0,3}?)(?: folder"
            "| directory)?(?: tests| ones)? only"
        ),
        rf"(?:the |our )?(?P<where>{PLACE_PATTERN}) (?:tests|only)",
    )
)
_NO_PLACES: Final = word_set("failed failing test one fast quick first that this it you me up down")
_TURNINGS: Final = phrases(
    "no|okay|now|actually|wait|can you|could you|would you|and|but|oh|hey|so|well|sorry|i mean|then"
    "|on second thought"
    "|hold on|yes|yeah|alright"
)
_REPLACES: Final = phrases(
    "no instead|instead of that|instead|rather|forget that and|forget it and|drop that and|leave that and"
    "|never mind that and|never mind and|stop that and|stop and|stop it and|no forget that and"
    "|cancel that and"
)


def _understand_steer(words: list[Word]) -> Steer | None:
    start = 0
    while (length := phrase_at(words, start, _TURNINGS)) and start + length < len(words):
        start += length
    for said in (words, words[start:]):
        text = normal(said)
        if _STOPS.fullmatch(text):
            return Stop()
        if _FASTERS.fullmatch(text):
            return Faster()
    rest = words[start:]
    replaced = phrase_at(rest, 0, _REPLACES)
    if replaced and len(rest) > replaced:
        request = _understand(rest[replaced:])
        return None if request is None else Instead(request=request)
    if rest[-1].normal in ("instead", "rather") and len(rest) > 1:
        request = _understand(rest[:-1])
        return None if request is None else Instead(request=request)
    for trimmed in trimmings(rest):
        narrow = _narrow(trimmed)
        if narrow is not None:
            return narrow
    request = _understand(words)
    return None if request is None else Also(request=request)


def _narrow(words: list[Word]) -> Narrow | None:
    text = normal(words)
    for pattern in _NARROWS:
        found = pattern.fullmatch(text)
        where = None if found is None else place(found["where"])
        if where is not None and where.lower() not in _NO_PLACES:
            return Narrow(where=where)
    return None
