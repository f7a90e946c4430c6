"""What a new session of the voice is told when it takes up a conversation that has lost its way.

The words are ours. They say that nothing has to be said about it: to the user, nothing has happened.
"""

from __future__ import annotations

from typing import Final

__all__ = ["account_of"]

_PREFACE: Final = (
    "This conversation is under way already; only the connection is new. Go on as if nothing had happened: do not"
    " greet, do not mention a connection, and do not repeat anything. What was said last, the newest at the end:"
)
_PREFACE_WITHOUT_WORDS: Final = (
    "This conversation is under way already; only the connection is new. Go on as if nothing had happened: do not"
    " greet and do not mention a connection."
)
_WORKING: Final = (
    "A task was handed over before and goes on; no call waits for its result, which will come in a message marked"
    " [BACKEND]. Where it stands:"
)


def account_of(said: str, working: str | None) -> str:
    """What the new session is told.

    Args:
        said: The account of the transcript, one line an utterance; may be empty.
        working: How the running task is going; None when none runs.

    Returns:
        The text; empty when there is nothing to go on with.
    """
    if not said and working is None:
        return ""
    parts = [f"{_PREFACE}\n{said}" if said else _PREFACE_WITHOUT_WORDS]
    if working is not None:
        parts.append(f"{_WORKING} {working}")
    return "\n\n".join(parts)
