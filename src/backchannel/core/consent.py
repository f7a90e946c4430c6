"""Whether what a person said gives a permission: a clear yes, a clear no, or neither.

Theory of operation. The text is the user's own final transcript, said in answer to a question such as "May I run git
push?". To take for a yes what was none is a serious failure; to miss a yes costs asking again. So a yes is a closed
grammar over the *whole* text: phrases of assent, phrases that may keep them company, and politeness, all from the lists
below, at least one of the first and nothing else. One word that stands in no list (a hesitation, a negation, a
condition, a correction, the name of something) and the text is no yes, whatever else it says. There is no list of what
makes a yes invalid, since it could never be complete.

A no is read more generously, since declining does no harm: it begins with a refusal and nowhere assents.

Signs count too. A question mark, a quotation mark, a bracket, three dots or a dash at the end (a sentence that trails
off) are no yes. A text with letters that are not Latin is neither yes nor no: the lists do not know them.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ASSENTS", "COMPANIONS", "MAX_WORDS", "OPENINGS", "POLITENESS", "Consent", "read_consent"]

MAX_WORDS: Final = 12
"""A longer text is no yes. A plain permission takes fewer words; in many words there is room for more than that."""


class Consent(enum.Enum):
    """What somebody's answer to a request for permission is."""

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"
    """Anything else: it has to be asked again."""


_RULINGS: Final = tuple(
    f"{who}{verb}{what}"
    for who in ("", "i ")
    for verb in ("approve", "allow", "accept", "confirm")
    for what in ("", " it", " that", " this")
)
"""Assents behind which no clause may follow: "confirm that it's fine" gives no permission, it asks."""

_ACTS: Final = (
    "do it", "do that", "do so", "run it", "run that", "go ahead", "go ahead and do it", "go ahead and do that",
    "go ahead and run it", "go ahead with it", "go ahead with that", "go for it", "proceed",
)  # fmt: skip
"""What one tells somebody to do who asks for permission."""

ASSENTS: Final[tuple[str, ...]] = (
    "yes", "yeah", "yep", "yup", "yea", "affirmative", "yes i do", "yes you can", "you may", "you may do it",
    "you may do that", "you may run it", "you may go ahead", "you may proceed", "you can go ahead", "you can do it",
    "you can do that", "you can run it", "you can proceed", "please do", "do it now", "let's do it", "let's do that",
    "let's go ahead", "make it so", "by all means", "absolutely", "definitely", "certainly", "of course",
    "of course you can", "approved", "that's approved", "it's approved", "allowed", "confirmed", "agreed",
    "accepted", "i consent", "permission granted", "you have permission", "you have my permission",
    "you have my approval", "you're allowed to", "you are allowed to", "i give you permission",
    "i give you my permission", "i give my permission", "please do it", "please do that", "please do so",
    "sure you can", "of course you may", "you can go ahead and do it", "you may go ahead and do it", "that's a yes",
    *_ACTS, *_RULINGS,
)  # fmt: skip
"""What gives a permission by itself."""

COMPANIONS: Final[tuple[str, ...]] = (
    "sure", "sure thing", "i'm sure", "i am sure", "okay", "ok", "alright", "all right", "fine", "that's fine",
    "that is fine", "that's okay", "that's ok", "that is okay", "that's alright", "it's fine", "it's okay", "it's ok",
    "fine by me", "fine with me", "okay with me", "okay by me", "sounds good", "correct", "that's correct",
    "that is correct", "that's right", "that is right", "very well", "indeed", "looks good", "i agree",
)  # fmt: skip
"""What may stand beside an assent, and gives no permission alone: one also says it to show that one listens."""

OPENINGS: Final[tuple[str, ...]] = ("right",)
"""Companions before an assent only: behind one they mock it."""

POLITENESS: Final[tuple[str, ...]] = (
    "please", "thanks", "thank you", "thank you very much", "thanks a lot", "many thanks",
)  # fmt: skip
"""What changes nothing, and gives no permission alone."""

_TWOFOLD: Final[tuple[str, ...]] = (
    # To ask the other side to confirm something is not to confirm it.
    "please confirm", "do confirm", "may confirm", "confirm please", "confirm it please", "confirm that please",
    "confirm this please",
    # More than what was asked for.
    "approve all", "allow all", "accept all", "confirm all", "it all", "that all", "this all",
)  # fmt: skip
"""Made of words of the lists above, and yet with another meaning."""

_NEGATIONS: Final[tuple[str, ...]] = (
    "don't", "do not", "never", "please don't", "please do not", "don't you", "don't you dare", "you may not",
    "you can't", "you can not", "you cannot", "you must not", "you mustn't", "you shouldn't", "you should not",
    "i don't want you to", "i do not want you to", "don't want you to", "i didn't ask you to", "better not",
    "i won't let you", "not going to", "let's not", "rather not", "i'd prefer not to", "i'd rather you not",
)  # fmt: skip
"""Refusals that turn an act behind them into what is refused."""

_REFUSALS: Final[tuple[str, ...]] = (
    "no", "nope", "nah", "nay", "no way", "no thanks", "no thank you", "no chance", "no permission", "negative", "stop",
    "stop it", "stop that", "cancel", "cancel it", "cancel that", "abort", "never mind", "nevermind", "forget it",
    "forget that", "forget about it", "leave it", "skip it", "skip that", "drop it", "decline", "declined",
    "i decline", "deny", "denied", "i deny it", "permission denied", "reject", "rejected", "i reject it", "refuse",
    "refused", "i refuse", "not now", "not right now", "not yet", "not today", "not this time", "not a chance",
    "not okay", "not ok", "not approved", "not allowed", "that's not okay", "that's not ok", "that's not alright",
    "that's not fine", "absolutely not", "definitely not", "certainly not", "of course not", "under no circumstances",
    "by no means", "i don't think so", "i'd rather not", "i would rather not", "i'd rather you didn't", "please stop",
    "i said no", "that's a no", "it's a no", "the answer is no", "i don't want that", "i don't want it",
    "i do not want that", "i don't approve", "i do not approve", "i don't agree", "i don't allow it", "hell no",
    "i'd prefer not", "i'd prefer you didn't", "not really", "you're not allowed to", "you are not allowed to",
    "i'm afraid not", "i can't allow that", "i disagree", "disapprove", "i disapprove", "hold off", "please no",
    "nein", "nein danke", "non", "non merci", "não", "nee", "nej",
)  # fmt: skip

_PAUSES: Final[tuple[str, ...]] = (
    "wait", "wait a minute", "wait a moment", "wait a second", "please wait", "hold on", "hold on a minute",
    "hold on a moment", "hold on a second", "hold it", "hang on",
)  # fmt: skip
"""Refusals for now, where nothing more is said; with more, the answer may still come."""

_NO_REFUSALS: Final[tuple[str, ...]] = (
    "no problem", "no problems", "no worries", "no idea", "no doubt", "no matter", "no objection", "no objections",
    "no rush", "no question", "no one", "no sé", "don't stop", "do not stop", "don't wait", "do not wait",
    "don't worry", "do not worry", "don't mind", "don't cancel", "do not cancel", "don't hesitate", "do not hesitate",
    "don't know", "don't forget", "do not forget", "never say", "never stop", "non stop", "nonstop",
)  # fmt: skip
"""What begins as a refusal does, and is none."""

_SOFTENERS: Final[tuple[str, ...]] = (
    "well", "um", "uh", "er", "hmm", "oh", "ah", "actually", "sorry", "okay", "ok", "so", "and", "but", "then",
    "please", "alright", "all right", "right",
)  # fmt: skip
"""What may stand before a refusal."""

_HARMLESS: Final = frozenset(".,!;:")
_DASHES: Final = "-\u2010\u2011\u2012\u2013\u2014\u2015"
_APOSTROPHES: Final = "\u2019\u2018\u02bc\u0060\u00b4"
_QUOTATION_MARKS: Final = frozenset('"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u201a')
_TRAILS_OFF: Final = re.compile(rf"\.\s*\.|\u2026|[{_DASHES}][\s.,!;:]*$")
_NORMAL: Final = str.maketrans(dict.fromkeys(_APOSTROPHES, "'") | dict.fromkeys(_DASHES, " "))


class _Phrases:
    """A list of phrases, the longest of which is found at a place among words."""

    def __init__(self, *lists: Iterable[str]) -> None:
        self._phrases = frozenset(tuple(phrase.split()) for phrases in lists for phrase in phrases)
        self._longest = max(map(len, self._phrases))

    def at(self, words: tuple[str, ...], place: int) -> int:
        """How many words long the longest phrase at this place is; 0 when there is none."""
        longest = min(self._longest, len(words) - place)
        return next((n for n in range(longest, 0, -1) if words[place : place + n] in self._phrases), 0)


_ASSENT: Final = _Phrases(ASSENTS)
_COMPANION: Final = _Phrases(COMPANIONS)
_POLITE: Final = _Phrases(POLITENESS)
_OPENING: Final = _Phrases(OPENINGS)
_AMBIGUOUS: Final = _Phrases(_TWOFOLD)
_ANY_ASSENT: Final = _Phrases(ASSENTS, COMPANIONS)
_RULING: Final = _Phrases(_RULINGS)
_BEHIND_RULING: Final = _Phrases(POLITENESS, _ACTS, ("yes", "yeah", "yep"))
_ACT: Final = _Phrases(_ACTS, _RULINGS)
_NEGATION: Final = _Phrases(_NEGATIONS)
_REFUSAL: Final = _Phrases(_REFUSALS, _NEGATIONS)
_PAUSE: Final = _Phrases(_PAUSES)
_NO_REFUSAL: Final = _Phrases(_NO_REFUSALS)
_SOFTENER: Final = _Phrases(_SOFTENERS)


def read_consent(text: str) -> Consent:
    """What a user's own words say to the request for permission that they answer.

    Args:
        text: The whole of what was said, as it was transcribed.
    """
    # Before anything is normalised: that turns the Greek question mark into a semicolon.
    if any(_is_question_mark(sign) or sign in _QUOTATION_MARKS for sign in text):
        return Consent.UNCLEAR
    composed = unicodedata.normalize("NFC", text)
    if any(sign.isalpha() and not unicodedata.name(sign, "").startswith("LATIN ") for sign in _plain(composed)):
        return Consent.UNCLEAR
    if _is_yes(composed):
        return Consent.YES
    return Consent.NO if _is_no(composed) else Consent.UNCLEAR


def _is_yes(text: str) -> bool:
    if _TRAILS_OFF.search(text):
        return False
    plain = _plain(text)
    if any(not (sign.isalpha() or sign.isspace() or sign == "'" or sign in _HARMLESS) for sign in plain):
        return False
    words = _words(plain)
    if len(words) > MAX_WORDS or any(_AMBIGUOUS.at(words, place) for place in range(len(words))):
        return False
    if len(words) > 1 and set(words) == {"yeah"}:
        # So one speaks to get rid of somebody.
        return False
    place, has_assent, is_ruled = 0, False, False
    while place < len(words):
        if is_ruled and not _BEHIND_RULING.at(words, place):
            return False
        if n := _ASSENT.at(words, place):
            has_assent = True
            is_ruled = is_ruled or n == _RULING.at(words, place)
        else:
            n = _COMPANION.at(words, place) or _POLITE.at(words, place)
        if not n and not has_assent:
            n = _OPENING.at(words, place)
        if not n:
            return False
        place += n
    return has_assent


def _is_no(text: str) -> bool:
    words = _words(_plain(text))
    place = 0
    while (n := _SOFTENER.at(words, place)) and not _refusal_at(words, place):
        place += n
    if not _refusal_at(words, place):
        return False
    refusals, unknown = 0, 0
    while place < len(words):
        if _NO_REFUSAL.at(words, place):
            return False
        if n := _refusal_at(words, place):
            refusals += not _PAUSE.at(words, place)
        elif _ANY_ASSENT.at(words, place):
            return False
        elif not (n := _POLITE.at(words, place)):
            unknown += 1
            n = 1
        place += n
    return refusals > 0 or unknown == 0


def _refusal_at(words: tuple[str, ...], place: int) -> int:
    """How many words long a refusal at this place is, with the act that it refuses."""
    n = max(_REFUSAL.at(words, place), _PAUSE.at(words, place))
    if n and n == _NEGATION.at(words, place):
        n += _ACT.at(words, place + n)
    return n


def _plain(text: str) -> str:
    """In small letters, with one kind of apostrophe and blanks for dashes."""
    return text.lower().translate(_NORMAL)


def _words(plain: str) -> tuple[str, ...]:
    """The words, without the signs around them."""
    return tuple("".join(sign if sign.isalnum() or sign == "'" else " " for sign in plain).split())


def _is_question_mark(sign: str) -> bool:
    name = unicodedata.name(sign, "")
    return "QUESTION" in name or name == "INTERROBANG"
