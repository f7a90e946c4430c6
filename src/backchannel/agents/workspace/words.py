"""Text as words: the same for what was typed and for what a speech recogniser wrote down.

A word keeps its raw spelling beside its normal form, so that patterns match the one and open slots (what to search
for, which file to show) give back the other. Pure.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from typing import Final

from backchannel.agents.workspace.vocabulary import word_set

__all__ = ["MAX_WORDS", "QUOTED_SPACE", "Word", "mended", "normal", "split", "spoken_name", "squeezed"]

MAX_WORDS: Final = 60
"""Longer texts are no request of ours; reading on would cost time for nothing."""

QUOTED_SPACE: Final = "\u2423"
"""Stands for a space inside a quotation, which is one word."""

_MAX_CHARACTERS: Final = 2000

_CONTRACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "what's": ("what", "is"),
    "whats": ("what", "is"),  # codespell:ignore
    "who's": ("who", "is"),
    "how's": ("how", "is"),
    "hows": ("how", "is"),
    "where's": ("where", "is"),
    "that's": ("that", "is"),
    "there's": ("there", "is"),
    "it's": ("it", "is"),
    "let's": ("let", "us"),
    "lets": ("let", "us"),
    "i'd": ("i", "would"),
    "i'm": ("i", "am"),
    "we're": ("we", "are"),
    "we've": ("we", "have"),
    "i've": ("i", "have"),
    "what've": ("what", "have"),
    "don't": ("do", "not"),
    "dont": ("do", "not"),
    "didn't": ("did", "not"),
    "doesn't": ("does", "not"),
    "isn't": ("is", "not"),
    "aren't": ("are", "not"),
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "haven't": ("have", "not"),
    "hasn't": ("has", "not"),
    "wanna": ("want", "to"),
    "gimme": ("give", "me"),
    "lemme": ("let", "me"),
    "licence": ("license",),
    "summarise": ("summarize",),
    "favourite": ("favorite",),
    "ok": ("okay",),
    "dir": ("directory",),
    "dirs": ("directories",),
    "repo": ("repository",),
    "codebase": ("code", "base"),
    "nevermind": ("never", "mind"),
    "ran": ("run",),
    "re-run": ("rerun",),
    "yesterday's": ("yesterday",),
    "today's": ("today",),
    "week's": ("week",),
    "month's": ("month",),
}
_NOISE: Final = frozenset({"uh", "um", "er", "erm", "ehm", "hmm", "hm", "ah", "please", "kindly", "basically"})
_QUOTED: Final = re.compile("\"([^\"]+)\"|`([^`]+)`|(?<!\\S)'([^']+)'(?!\\w)")
_TRAILING: Final = ".,!?;:…)]}»\"'`"
_LEADING: Final = "([{«\"'`¿¡,;:!?…"

# What a recogniser writes for a word of ours that sounds alike. Only tried when the words as they are mean nothing.
_SOUNDS_LIKE: Final[dict[str, str]] = {
    "weak": "week",
    "weeks": "week",
    "weekly": "week",
    "texts": "tests",
    "text": "test",
    "test's": "tests",
    "tess": "tests",
    "chests": "tests",
    "guests": "tests",
    "tets": "tests",
    "tst": "test",
    "tsts": "tests",
    "sweet": "suite",
    "suit": "suite",
    "sweets": "suite",
    "brunch": "branch",  # codespell:ignore
    "ranch": "branch",
    "reed": "read",
    "rum": "run",
    "runs": "run",
    "get": "git",
    "charge": "change",
    "charged": "changed",
    "charges": "changes",
    "chained": "changed",
    "chains": "changes",
    "fail's": "fails",
    "feel": "fail",
    "fell": "fail",
    "sell": "fail",
    "surge": "search",
    "church": "search",
    "serge": "search",
    "corps": "core",
    "court": "core",
    "cool": "core",
    "doc": "docs",
    "dogs": "docs",
    "ducks": "docs",
    "wrapper": "repository",
}
_KEYWORDS: Final = word_set(
    "changed changes commits commit yesterday recently tests search branch branches files folders project "
    "repository license describe explain overview failure failures failed failing error status history "
    "authors summary uncommitted happened everything languages instead faster"
)
_ACTUAL_WORDS: Final = word_set(
    "change changes changed changer commit commits tests tasks test texts rests nests bests vests pests "
    "guests failing falling sailing filing fixing error errors terror mirror statue statutes states "
    "project projects protect reject search reach starch branch "
    "brunch filed files filled folder folders "  # codespell:ignore
    "holders describes explains happens happen failed filed mailed sailed nailed failure failures history "
    "story license silence delete deploy remove write create install update rename"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """A word of a request."""

    raw: str
    """As it came, without the punctuation around it; empty for the second half of a contraction."""
    normal: str
    """Lower case; inside, `QUOTED_SPACE` where a quotation had a space."""
    quoted: bool = False


def split(text: str) -> list[Word] | None:
    """The words of a text, without hesitation and politeness; None when there are too many to be a request."""
    if len(text) > _MAX_CHARACTERS:
        return None
    text = unicodedata.normalize("NFKC", text).translate({0x2019: "'", 0x2018: "'", 0x201C: '"', 0x201D: '"'})
    words: list[Word] = []
    start = 0
    for quotation in _QUOTED.finditer(text):
        words.extend(_plain(text[start : quotation.start()]))
        content = next((group for group in quotation.groups() if group is not None), "").strip()
        if content:
            words.append(Word(content, re.sub(r"\s+", QUOTED_SPACE, content.lower()), quoted=True))
        start = quotation.end()
    words.extend(_plain(text[start:]))
    return None if len(words) > MAX_WORDS else words


def _plain(text: str) -> list[Word]:
    words: list[Word] = []
    for piece in text.split():
        raw = piece.rstrip(_TRAILING).lstrip(_LEADING)
        lower = raw.lower()
        if not raw or lower in _NOISE or raw in ("-", "--", "–", "—"):  # noqa: RUF001 - a dash as people type it
            continue
        first, *rest = _CONTRACTIONS.get(lower, (lower,))
        words.append(Word(raw if not rest else first, first))
        words.extend(Word(part, part) for part in rest)
    return words


def normal(words: list[Word]) -> str:
    """The normal forms with one space between."""
    return " ".join(word.normal for word in words)


def mended(words: list[Word]) -> list[Word] | None:
    """The words with likely errors of hearing or typing undone; None when there is nothing to undo.

    Words that sound like one of ours are replaced, repeated words said once, and a long word that is one letter away
    from exactly one keyword becomes it. All requests only read, so a wrong repair costs a wrong answer and no more.
    """
    result: list[Word] = []
    for word in words:
        if result and not word.quoted and result[-1].normal == word.normal:
            continue
        better = word.normal if word.quoted else _mended(word.normal)
        result.append(word if better == word.normal else Word(better, better))
    return None if result == words else result


def _mended(word: str) -> str:
    if word in _SOUNDS_LIKE:
        return _SOUNDS_LIKE[word]
    if len(word) < 5 or word in _ACTUAL_WORDS or not word.isalpha():
        return word
    near = [keyword for keyword in _KEYWORDS if _one_apart(word, keyword)]
    return near[0] if len(near) == 1 else word


def _one_apart(one: str, other: str) -> bool:
    """Whether one inserted, removed, replaced or swapped letter makes the one into the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    i = 0
    while i < min(len(one), len(other)) and one[i] == other[i]:
        i += 1
    if len(one) == len(other):
        swapped = one[i : i + 2] == other[i : i + 2][::-1] and one[i + 2 :] == other[i + 2 :]
        return one[i + 1 :] == other[i + 1 :] or swapped
    shorter, longer = sorted((one, other), key=len)
    return shorter[i:] == longer[i + 1 :]


_SPOKEN_SIGNS: Final[dict[str, str]] = {
    "dot": ".",
    "point": ".",
    "period": ".",
    "underscore": "_",
    "slash": "/",
    "dash": "-",
    "hyphen": "-",
    "minus": "-",
}
_SPOKEN_NAMES: Final[tuple[tuple[str, str], ...]] = (
    ("read me", "readme"),
    ("make file", "makefile"),
    ("change log", "changelog"),
    ("set up", "setup"),
    ("pie project", "pyproject"),
    ("pi project", "pyproject"),
    ("docker file", "dockerfile"),
    ("to dos", "todo"),
    ("to do", "todo"),
    ("fix me", "fixme"),
    ("under score", "underscore"),
    ("p y", "py"),
    ("j s", "js"),
    ("t s", "ts"),
    ("m d", "md"),
    ("r s", "rs"),
    ("in it", "init"),
    ("back off", "backoff"),
    ("time out", "timeout"),
    ("time outs", "timeouts"),
    ("log in", "login"),
    ("web socket", "websocket"),
    ("web sockets", "websockets"),
    ("data base", "database"),
    ("front end", "frontend"),
    ("back end", "backend"),
)
_SPOKEN_EXTENSIONS: Final[dict[str, str]] = {
    "pie": "py",
    "pi": "py",
    "why": "py",
    "python": "py",
    "jason": "json",
    "tommel": "toml",
    "tom": "toml",
    "markdown": "md",
    "text": "txt",
    "yam": "yaml",
    "rust": "rs",
    "see": "c",
}


def spoken_name(text: str) -> str:
    """A name as it is written, from how it is said: `test core dot p y` gives `test core.py`.

    Spaces that may stand for anything (a space, an underscore, nothing) are left; compare with `squeezed`.
    """
    padded = f" {text} "
    for said, written in _SPOKEN_NAMES:
        padded = padded.replace(f" {said} ", f" {written} ")
    result = ""
    after_dot = False
    glue = True
    for word in padded.split():
        sign = _SPOKEN_SIGNS.get(word.lower())
        if sign is not None:
            result += sign
            glue = True
            after_dot = sign == "."
            continue
        written = _SPOKEN_EXTENSIONS.get(word.lower(), word) if after_dot else word
        result += written if glue else f" {written}"
        glue = after_dot = False
    return result


def squeezed(name: str) -> str:
    """A name without case and signs, so that spoken and written forms compare equal."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
