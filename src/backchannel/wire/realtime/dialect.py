"""What a dialect is: a codec between intents and events on our side and one protocol on the wire."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from backchannel.wire.realtime.events import Event, Skipped
    from backchannel.wire.realtime.intents import Intent

__all__ = ["Abilities", "Dialect"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What can be said in a dialect. The core decides by these, never by a dialect's name."""

    creates_responses: bool
    """The client asks for responses, one at a time."""
    truncates: bool
    """The client can tell how much of an item was heard."""
    answers_tool_calls: bool
    """Handing over is a tool call, which waits for its answer."""
    carries_roles: bool
    """A text keeps the role it was added with."""


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

    def encode(self, intent: Intent) -> tuple[bytes, ...]:
        """The messages (UTF-8 JSON) that say this, in order; empty when the dialect has no words for it."""

    def decode(self, message: str | bytes) -> Event | Skipped:
        """What a server's message means. Any bytes give an event or `Skipped`, never an exception."""
