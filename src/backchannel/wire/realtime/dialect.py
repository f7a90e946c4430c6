"""What a dialect is: a codec between intents and events on our side and one protocol on the wire."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from backchannel.wire.realtime.endpoint import Endpoint
    from backchannel.wire.realtime.events import Event, Skipped
    from backchannel.wire.realtime.intents import Intent
    from backchannel.wire.realtime.session import SessionSettings

__all__ = ["Abilities", "Dialect", "InstructionChange", "unexpected_close"]

_NORMAL_CLOSE = 1000


class InstructionChange(enum.Enum):
    """What becomes of instructions that are given to a live session."""

    NONE = "none"
    """They are not taken: a new session is needed."""
    REPLACE = "replace"
    """They take the place of the old ones."""
    APPEND = "append"
    """They are added to the old ones."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What can be said in a dialect, and how it behaves. Everybody decides by these, nobody by a dialect's name."""

    creates_responses: bool
    """The client asks for responses, one at a time."""
    truncates: bool
    """The client can tell how much of an item was heard."""
    answers_tool_calls: bool
    """Handing over is a tool call, which waits for its answer."""
    carries_roles: bool
    """A text keeps the role it was added with."""
    replaces_active_handoff: bool
    """A new handoff takes the place of the active one; else it changes the work that is under way."""
    names_requests: bool
    """A handoff says what is asked; else that has to be read from what the user said."""
    completes_transcripts: bool
    """The server tells when somebody has said their say; else there are only pieces."""
    mixes_transcripts: bool
    """While both speak, pieces of what each says come by turns; else a change of speaker begins a new utterance."""
    tells_speech: bool
    """The server tells when the user begins and stops to speak."""
    waits_for_session: bool
    """Nothing but the settings may be sent before the server has confirmed the session."""
    configures_sideband: bool
    """A session that was created by a call is given its settings again when the sideband has joined."""
    text_modality: bool
    """The voice can answer in text."""
    transcribes: bool
    """There are sessions that only write down what is said; else they are conversations all the same."""
    initial_items: bool
    """A session can begin with what was said before it."""
    speaks_by_channel: bool
    """A text says by its channel whether it may be spoken; else a response is asked for, or the voice decides alone."""
    streams_reports: bool
    """What the agent says can be passed on in pieces, while it is being written."""
    instruction_change: InstructionChange
    announces_close: bool
    """A message ends the session before the transport closes."""
    abnormal_close_is_error: bool
    """A close frame with any code but 1000, or without one, is a failure; else every one is just the end."""


class Dialect(Protocol):
    """A codec without state."""

    @property
    def name(self) -> str:
        """How configuration names it: `v1`, `v2` ..."""

    @property
    def voices(self) -> tuple[str, ...]:
        """The names of the voices it has, the first being the default."""

    @property
    def default_model(self) -> str:
        """The model that is asked for when none is named."""

    @property
    def abilities(self) -> Abilities:
        """What can be said in it."""

    @property
    def endpoint(self) -> Endpoint:
        """Where its sessions are reached."""

    def encode(self, intent: Intent, /) -> tuple[bytes, ...]:
        """The messages (UTF-8 JSON) that say this, in order; empty when the dialect has no words for it."""

    def decode(self, message: str | bytes, /) -> Event | Skipped:
        """What a server's message means. Any bytes give an event or `Skipped`, never an exception."""

    def call_session(self, settings: SessionSettings) -> dict[str, object]:
        """The session as the creation of a WebRTC call describes it, with its model."""


def unexpected_close(abilities: Abilities, code: int | None) -> str | None:
    """What is wrong with the way in which a server closed the websocket; None when nothing is.

    Args:
        abilities: Of the dialect that was spoken.
        code: Of the close frame; None when it had none.

    Source: realtime.md 1.5.
    """
    if not abilities.abnormal_close_is_error or code == _NORMAL_CLOSE:
        return None
    how = "without saying why" if code is None else f"with code {code}"
    return f"the server closed the session {how}, expected code {_NORMAL_CLOSE}"
