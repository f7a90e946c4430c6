"""Which errors of a realtime server the conversation survives. Whatever is not listed ends it.

Codes as the public Realtime API and its compatible servers use them.
"""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["RECOVERABLE", "Remedy", "remedy_for"]


class Remedy(enum.Enum):
    """What an error calls for."""

    DEFER = "defer"
    """Our request for a response came while another is active: ask again when that is over."""
    WARN = "warn"
    """Say so and go on."""
    PAUSE = "pause"
    """We ask too often: say so and ask for nothing for a moment."""
    REOPEN = "reopen"
    """The session is over and the conversation is not: begin another session."""
    END = "end"
    """The conversation cannot go on."""


RECOVERABLE: Final[dict[str, Remedy]] = {
    "conversation_already_has_active_response": Remedy.DEFER,
    # The voice had said all of the item, or the item is gone, by the time we told what was heard of it.
    "item_truncate_invalid_item_id": Remedy.WARN,
    "invalid_item_id": Remedy.WARN,
    "item_not_found": Remedy.WARN,
    "audio_end_ms_too_large": Remedy.WARN,
    # The response was over before it could be cancelled.
    "response_cancel_not_active": Remedy.WARN,
    "input_audio_buffer_commit_empty": Remedy.WARN,
    "rate_limit_exceeded": Remedy.PAUSE,
    # An optional field that this server does not take.
    "invalid_value": Remedy.WARN,
    "unknown_parameter": Remedy.WARN,
    # The server's limit for the length of a session: 30 or 60 minutes on public servers. The live protocol tells it,
    # and the loss of what the session depends on, when it says goodbye.
    "session_expired": Remedy.REOPEN,
    "session_connection_lost": Remedy.REOPEN,
}

_ACTIVE_RESPONSE: Final = "Conversation already has an active response in progress"


def remedy_for(code: str | None, message: str) -> Remedy:
    """What to do about an error; servers without codes are known by the text of the one race that is expected."""
    if code is None:
        return Remedy.DEFER if message.startswith(_ACTIVE_RESPONSE) else Remedy.END
    return RECOVERABLE.get(code, Remedy.END)
