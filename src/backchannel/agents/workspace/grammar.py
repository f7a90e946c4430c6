"""The grammar of the agent's requests, for a speech recogniser."""

from __future__ import annotations

import importlib.resources

__all__ = ["spoken_grammar"]


def spoken_grammar() -> str:
    """The closed set of sentences a recogniser should know, as a JSGF grammar with one public rule.

    It holds the spoken forms of the agent's requests and steers, and the words of conversation around them; every
    word of it is in the CMU pronouncing dictionary.
    """
    return importlib.resources.files(__package__).joinpath("requests.gram").read_text(encoding="utf-8")
