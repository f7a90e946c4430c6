"""Makes text fit to be given to a synthesizer, and cuts it where a breath would be.

Whatever an agent wrote may come here, so nothing in it may reach the synthesizer as a command: control characters and
espeak's phoneme brackets are taken out. The text itself travels on standard input, never among the arguments, where it
could be read as an option, and where every user of the machine could read it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["MAX_TEXT_CHARS", "clean_text", "split_text"]

MAX_TEXT_CHARS: Final = 4000
"""Longer answers are cut at a word: about five minutes of speech."""
MAX_PIECE_CHARS: Final = 240
MIN_PIECE_CHARS: Final = 24
FIRST_PIECE_CHARS: Final = 90
"""A first sentence longer than this is cut at a comma, so that speech begins early."""

_PLAIN: Final = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": ", ",
        "\u2014": ", ",
        "\u2026": ". ",
        "\u00a0": " ",
        "\u2022": ". ",
    }
)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?;:])\s+")
_CLAUSE_END: Final = re.compile(r"(?<=,)\s+")


def clean_text(text: str, *, ascii_only: bool = False) -> str:
    """One line of bounded length without control characters; empty when there is nothing to pronounce.

    Args:
        text: Anything.
        ascii_only: Also take off accents and drop what is not ASCII, for synthesizers that know only that.
    """
    text = re.sub(r"[ \t]*[\r\n]+\s*", ". ", text[: MAX_TEXT_CHARS * 2].strip())
    text = re.sub(r"([.!?;:,])\.(?= )", r"\1", text).translate(_PLAIN)
    if ascii_only:
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    # Categories C are the control, format, private and surrogate characters.
    text = "".join(" " if unicodedata.category(char).startswith("C") else char for char in text)
    text = text.replace("[[", "[ [").replace("]]", "] ]")
    text = " ".join(text.split())
    if len(text) > MAX_TEXT_CHARS:
        text = text[:MAX_TEXT_CHARS].rsplit(" ", 1)[0]
    return text if any(char.isalnum() for char in text) else ""


def split_text(text: str) -> list[str]:
    """Pieces of a cleaned text that are synthesized one after the other: sentences, the first one short."""
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        if pieces and len(pieces[-1]) < MIN_PIECE_CHARS:
            pieces[-1] = f"{pieces[-1]} {sentence}"
        elif sentence:
            pieces.append(sentence)
    if pieces and len(pieces[0]) > FIRST_PIECE_CHARS:
        clause, *rest = _CLAUSE_END.split(pieces[0], maxsplit=1)
        pieces[:1] = [clause, *rest]
    bounded = [part for piece in pieces for part in _bounded(piece)]
    return [piece for piece in bounded if any(char.isalnum() for char in piece)]


def _bounded(piece: str) -> list[str]:
    """Cut at words, or through a word that is longer than a piece may be."""
    parts = []
    while len(piece) > MAX_PIECE_CHARS:
        cut = piece.rfind(" ", 1, MAX_PIECE_CHARS)
        cut = cut if cut > 0 else MAX_PIECE_CHARS
        parts.append(piece[:cut].strip())
        piece = piece[cut:].strip()
    return [*parts, piece]
