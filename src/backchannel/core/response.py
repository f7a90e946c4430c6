"""The response machine: one response at a time, and a wanted one is never lost.

Theory of operation. In dialects where the client asks for responses, the server allows one at a time and refuses a
second with an error. It also starts responses of its own accord, when the user stops speaking. So the machine follows
what the server says is active, sends our request when nothing is, and keeps at most one request waiting: any number of
wishes while a response is active collapse into one, since the response that comes then knows everything.

Responses are told apart by id. The end of a response that is not the active one (a cancelled predecessor, told late)
changes nothing. A server without ids frees the machine with any end. A refused request is over, and whoever wanted it
decides whether it is still wanted: the moment may have passed.

A response that never ends would silence the voice for good: after `DEADLINE_S` it counts as over, and a warning says
so.

Source: realtime.md 4.5; correlation and deadline are ours.
"""

from __future__ import annotations

import collections
import enum
from typing import Final

from backchannel.core.effects import CancelTimer, Effect, Send, SetTimer, Show
from backchannel.core.screen import Warned
from backchannel.wire.realtime import intents

__all__ = ["DEADLINE_S", "TIMER", "TRANSITIONS", "Input", "Response", "State"]

DEADLINE_S: Final = 120.0
"""How long a response may take. The longest answers measured on public servers are below a minute."""
TIMER: Final = "response"
_REMEMBERED: Final = 32


class State(enum.Enum):
    """Where the one response stands."""

    IDLE = "idle"
    REQUESTED = "requested"
    """Asked for, and not confirmed yet."""
    ACTIVE = "active"


class Input(enum.Enum):
    """What can happen to it."""

    WANTED = "wanted"
    CREATED = "created"
    ENDED = "ended"
    REFUSED = "refused"
    """The server says another response is active."""
    DENIED = "denied"
    """The server does not want to be asked now; nothing is active for that."""
    EXPIRED = "expired"


TRANSITIONS: Final[dict[State, dict[Input, State]]] = {
    State.IDLE: {
        Input.WANTED: State.REQUESTED,
        Input.CREATED: State.ACTIVE,
        Input.ENDED: State.IDLE,
        Input.REFUSED: State.IDLE,
        Input.DENIED: State.IDLE,
        Input.EXPIRED: State.IDLE,
    },
    State.REQUESTED: {
        Input.WANTED: State.REQUESTED,
        Input.CREATED: State.ACTIVE,
        Input.ENDED: State.IDLE,
        Input.REFUSED: State.ACTIVE,
        Input.DENIED: State.IDLE,
        Input.EXPIRED: State.IDLE,
    },
    State.ACTIVE: {
        Input.WANTED: State.ACTIVE,
        Input.CREATED: State.ACTIVE,
        Input.ENDED: State.IDLE,
        Input.REFUSED: State.ACTIVE,
        Input.DENIED: State.ACTIVE,
        Input.EXPIRED: State.IDLE,
    },
}


class Response:
    """Follows the server's responses and asks for ours."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self._active_id: str | None = None
        self._waiting = False
        self._ended: collections.deque[str] = collections.deque(maxlen=_REMEMBERED)

    @property
    def is_idle(self) -> bool:
        """Whether no response is active, asked for or waiting to be asked for."""
        return self.state is State.IDLE

    def want(self, now: float) -> list[Effect]:
        """The voice should speak: ask now, or once the active response is over."""
        if self.state is State.IDLE:
            return self._request(now)
        self._waiting = True
        return []

    def created(self, response_id: str | None, now: float) -> list[Effect]:
        """The server began a response."""
        self._step(Input.CREATED)
        self._active_id = response_id
        if response_id is not None and response_id in self._ended:
            # A server that gives the same id again means another response.
            self._ended.remove(response_id)
        return [_deadline(now)]

    def ended(self, response_id: str | None, now: float) -> list[Effect]:
        """A response is over."""
        if response_id is not None:
            if response_id in self._ended:
                return []
            self._ended.append(response_id)
            if self._active_id is not None and response_id != self._active_id:
                return []
        return self._free(Input.ENDED, now)

    def refused(self, now: float) -> list[Effect]:
        """The server would not start our response because one is active. Whoever wanted it has to want it again."""
        if self.state is State.IDLE:
            # The response in whose favour ours was refused is already over.
            return []
        if self.state is State.REQUESTED:
            # The active response is one that we took for over: its end, when it comes, counts.
            self._ended.clear()
        self._step(Input.REFUSED)
        return [_deadline(now)]

    def denied(self) -> list[Effect]:
        """The server does not want to be asked so often. Whoever wanted the response has to want it again, later."""
        was_requested = self.state is State.REQUESTED
        self._step(Input.DENIED)
        if not was_requested:
            return []
        self._waiting = False
        return [CancelTimer(name=TIMER)]

    def expired(self, now: float) -> list[Effect]:
        """The deadline passed."""
        if self.state is State.IDLE:
            return []
        if self._active_id is not None:
            self._ended.append(self._active_id)
        warning = Warned(message=f"the voice did not finish a response within {DEADLINE_S:.0f} s; going on without it")
        return [Show(event=warning), *self._free(Input.EXPIRED, now)]

    def _free(self, why: Input, now: float) -> list[Effect]:
        was_idle = self.state is State.IDLE
        self._step(why)
        self._active_id = None
        if self._waiting:
            self._waiting = False
            return self._request(now)
        return [] if was_idle else [CancelTimer(name=TIMER)]

    def _request(self, now: float) -> list[Effect]:
        self._step(Input.WANTED)
        return [Send(intent=intents.RequestResponse()), _deadline(now)]

    def _step(self, happened: Input) -> None:
        self.state = TRANSITIONS[self.state][happened]


def _deadline(now: float) -> Effect:
    return SetTimer(name=TIMER, deadline=now + DEADLINE_S)
