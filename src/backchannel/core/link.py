"""The link: whether there is a way to the realtime server, and what becomes of the conversation when there is none.

Theory of operation. A conversation begins when the first way opens, and ends once, with one reason. In between the way
may be lost: then it is opened again, with growing delays, until that succeeds, makes no sense, or has been tried for
too long. What is to be said meanwhile is held here and said afterwards, each thing once. Before the server ends a
session of its own accord (`rotate_after_s`), another is opened beside it in a moment of quiet, and takes its place when
it is open; so nobody notices. In the same way another conversation takes the place of this one (`replacement_asked`):
only when its way is open does this one end, and if it does not open, this one goes on.

The table says how the state moves. An opening that is told in a state that waits for none is a bug of the shell and
raises; an end of the way is a row in every state, since it may come at any time. Randomness is drawn by the shell
(`chance`).

| state | there is a way | an opening is under way |
|---|---|---|
| connecting | no | yes, the first |
| live | yes | no |
| rotating | yes | yes, of the next session |
| replacing | yes | yes, of another conversation |
| lost | no | no: the next try waits for its time |
| reopening | no | yes |
| replacing while lost | no | yes, of another conversation |
| closed | no | no |

The file is long because its table is: eight states, each with a row for all that can happen in it.

Source: realtime.md 4.2 (backoff and its reset), 7.2 (reasons); rotation, holding and giving up are ours.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from typing import TYPE_CHECKING, Final, assert_never

from backchannel.core.effects import CancelTimer, Effect, OpenTransport, SetTimer, Show
from backchannel.core.screen import CloseReason, ConversationReconnecting
from backchannel.errors import LocalProtocolError
from backchannel.wire.realtime import intents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.core.options import Options

__all__ = [
    "FIRST_DELAY_S",
    "MAX_DELAY_S",
    "MAX_HELD",
    "RETRY_TIMER",
    "ROTATION_PATIENCE_S",
    "ROTATION_TIMER",
    "STABLE_S",
    "TRANSITIONS",
    "Input",
    "Link",
    "Opening",
    "State",
    "Verdict",
]

FIRST_DELAY_S: Final = 0.2
MAX_DELAY_S: Final = 5.0
STABLE_S: Final = 30.0
"""A way that held so long was a good one: the delays after it begin anew."""
ROTATION_PATIENCE_S: Final = 240.0
"""How long a moment of quiet is waited for before a session is rotated all the same. Servers end theirs after 30 to 60
minutes without asking."""
MAX_HELD: Final = 256
RETRY_TIMER: Final = "retry"
ROTATION_TIMER: Final = "rotation"

_NORMAL_CLOSE: Final = 1000


class State(enum.Enum):
    """Where the way to the server stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    ROTATING = "rotating"
    REPLACING = "replacing"
    LOST = "lost"
    REOPENING = "reopening"
    REPLACING_LOST = "replacing_lost"
    CLOSED = "closed"


class Input(enum.Enum):
    """What can happen to it."""

    OPENED = "opened"
    OPEN_FAILED = "open_failed"
    BUSY = "busy"
    """The server takes one session at a time."""
    LOST = "lost"
    RETRIED = "retried"
    ROTATED = "rotated"
    REPLACED = "replaced"
    ENDED = "ended"


TRANSITIONS: Final[dict[State, dict[Input, State]]] = {
    State.CONNECTING: {
        Input.OPENED: State.LIVE,
        Input.OPEN_FAILED: State.CLOSED,
        Input.BUSY: State.CLOSED,
        Input.LOST: State.CONNECTING,
        Input.RETRIED: State.CONNECTING,
        Input.ROTATED: State.CONNECTING,
        Input.REPLACED: State.CONNECTING,
        Input.ENDED: State.CLOSED,
    },
    State.LIVE: {
        Input.OPENED: State.LIVE,
        Input.OPEN_FAILED: State.LIVE,
        Input.BUSY: State.LIVE,
        Input.LOST: State.LOST,
        Input.RETRIED: State.LIVE,
        Input.ROTATED: State.ROTATING,
        Input.REPLACED: State.REPLACING,
        Input.ENDED: State.CLOSED,
    },
    State.ROTATING: {
        Input.OPENED: State.LIVE,
        Input.OPEN_FAILED: State.LIVE,
        Input.BUSY: State.LIVE,
        Input.LOST: State.REOPENING,
        Input.RETRIED: State.ROTATING,
        Input.ROTATED: State.ROTATING,
        Input.REPLACED: State.REPLACING,
        Input.ENDED: State.CLOSED,
    },
    State.REPLACING: {
        Input.OPENED: State.LIVE,
        Input.OPEN_FAILED: State.LIVE,
        Input.BUSY: State.REPLACING_LOST,
        Input.LOST: State.REPLACING_LOST,
        Input.RETRIED: State.REPLACING,
        Input.ROTATED: State.REPLACING,
        Input.REPLACED: State.REPLACING,
        Input.ENDED: State.CLOSED,
    },
    State.LOST: {
        Input.OPENED: State.LOST,
        Input.OPEN_FAILED: State.LOST,
        Input.BUSY: State.LOST,
        Input.LOST: State.LOST,
        Input.RETRIED: State.REOPENING,
        Input.ROTATED: State.LOST,
        Input.REPLACED: State.REPLACING_LOST,
        Input.ENDED: State.CLOSED,
    },
    State.REOPENING: {
        Input.OPENED: State.LIVE,
        Input.OPEN_FAILED: State.LOST,
        Input.BUSY: State.LOST,
        Input.LOST: State.REOPENING,
        Input.RETRIED: State.REOPENING,
        Input.ROTATED: State.REOPENING,
        Input.REPLACED: State.REPLACING_LOST,
        Input.ENDED: State.CLOSED,
    },
    State.REPLACING_LOST: {
        Input.OPENED: State.LIVE,
        Input.OPEN_FAILED: State.LOST,
        Input.BUSY: State.LOST,
        Input.LOST: State.REPLACING_LOST,
        Input.RETRIED: State.REPLACING_LOST,
        Input.ROTATED: State.REPLACING_LOST,
        Input.REPLACED: State.REPLACING_LOST,
        Input.ENDED: State.CLOSED,
    },
    State.CLOSED: dict.fromkeys(Input, State.CLOSED),
}

_WITH_A_WAY: Final = frozenset({State.LIVE, State.ROTATING, State.REPLACING})
_OPENING: Final = frozenset({State.CONNECTING, State.ROTATING, State.REPLACING, State.REOPENING, State.REPLACING_LOST})


class Opening(enum.Enum):
    """What it means that a way has opened."""

    STARTED = "started"
    REPLACED = "replaced"
    """Another conversation has started in the place of this one."""
    RESTORED = "restored"
    """The conversation goes on where it had lost its way."""
    ROTATED = "rotated"
    """It goes on, and has never been without a way."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a machine wants done, and whether the conversation is over."""

    effects: tuple[Effect, ...] = ()
    leaves: bool = False
    """Whether the way that there is has to be left first, so that another one can be had."""
    ends: CloseReason | None = None
    message: str | None = None
    """What went wrong, where something did."""


class Link:
    """Follows the way to the realtime server."""

    def __init__(self, options: Options) -> None:
        self.state = State.CONNECTING
        self.options = options
        """Of the conversation that the way is for."""
        self.has_way = False
        """Whether something can be said to the server now. Asked for with every piece of sound."""
        self.is_over = False
        """Whether the conversation has ended."""
        self._next_options: Options | None = None
        """Of the one that is to take its place."""
        # What these begin with is read by nobody: a way that opens or is lost sets them.
        self._opened_at = 0.0  # mutants: same
        self._lost_at = 0.0  # mutants: same
        self._can_go_on = True  # mutants: same
        """Whether what was lost while another conversation was to take its place may be opened again."""
        self._n_tries = 0  # mutants: same
        self._rotates_at: float | None = None
        self._held: collections.deque[intents.Intent] = collections.deque()
        self._instructions: intents.ChangeInstructions | None = None

    def opened(self, now: float) -> tuple[Opening, list[Effect]]:
        """The way that was being opened is open.

        Raises:
            LocalProtocolError: None was being opened; nothing has changed.
        """
        meaning = {
            State.CONNECTING: Opening.STARTED,
            State.ROTATING: Opening.ROTATED,
            State.REPLACING: Opening.REPLACED,
            State.REPLACING_LOST: Opening.REPLACED,
            State.REOPENING: Opening.RESTORED,
        }.get(self.state)
        if meaning is None:
            raise self._unexpected("a way has opened")
        self._step(Input.OPENED)
        self._opened_at = now
        if meaning is Opening.REPLACED:
            if self._next_options is None:
                raise AssertionError("whoever asked for a replacement gave its options")
            self.options = self._next_options
        if meaning in (Opening.STARTED, Opening.REPLACED):
            self._n_tries = 0
            self._instructions = None
            self._held.clear()
        return meaning, self._plan_rotation(self.options.rotate_after_s, now, since=now)

    def open_failed(
        self, message: str, *, is_final: bool, is_over: bool, chance: float, now: float, is_busy: bool = False
    ) -> Verdict:
        """The way that was being opened could not be opened.

        Raises:
            LocalProtocolError: None was being opened; nothing has changed.
        """
        before = self.state
        if before not in _OPENING:
            raise self._unexpected("a way could not be opened")
        self._step(Input.BUSY if is_busy else Input.OPEN_FAILED)
        match before:
            case State.CONNECTING:
                # No conversation, so no close.
                return Verdict(message=message)
            case State.REPLACING if is_busy:
                # It takes one session at a time: this one has to go before the other can come.
                self._can_go_on = False
                return Verdict(leaves=True, effects=(OpenTransport(replaces=True),))
            case State.REPLACING:
                # Whoever asked for it had the rotation called off.
                planned = self._plan_rotation(self.options.rotate_after_s, now, since=self._opened_at)
                return Verdict(effects=tuple(planned), message=message)
            case State.ROTATING if is_final:
                # It would be refused again: the session goes on until the server ends it.
                return Verdict()
            case State.ROTATING:
                # There is time: another try at the next moment of quiet, after the usual delay.
                self._n_tries += 1
                planned = self._plan_rotation(_delay_s(self._n_tries, chance), now, since=now)
                return Verdict(effects=tuple(planned))
            case State.REPLACING_LOST:
                if not self._can_go_on:
                    return self._ended(CloseReason.ERROR, message)
                return Verdict(effects=self._retry(message, chance, now), message=message)
            case State.REOPENING:
                if is_over:
                    return self._ended(CloseReason.TRANSPORT_CLOSED, message)
                if is_final or now - self._lost_at >= self.options.give_up_after_s:
                    return self._ended(CloseReason.ERROR, message)
                return Verdict(effects=self._retry(message, chance, now))
            case _:
                raise AssertionError("checked above")

    def closed(self, message: str, *, code: int | None, chance: float, now: float) -> Verdict:
        """The server ended the session: for good when it said so properly, else it is lost.

        Where it has been given up before (it had expired), how it ends says nothing any more.
        """
        if not self.has_way:
            return Verdict()
        can_go_on = self.options.reconnect and code != _NORMAL_CLOSE
        if can_go_on or self.state is State.REPLACING:
            return self._lose(f"the server ended the session ({message})", chance, now, can_go_on=can_go_on)
        return self._ended(CloseReason.TRANSPORT_CLOSED, message)

    def failed(self, message: str, *, is_final: bool, chance: float, now: float) -> Verdict:
        """The way broke."""
        if not self.has_way:
            is_over = self.state in (State.CONNECTING, State.CLOSED)
            return self._ended(CloseReason.ERROR, message) if is_final and not is_over else Verdict()
        can_go_on = self.options.reconnect and not is_final
        if can_go_on or self.state is State.REPLACING:
            return self._lose(message, chance, now, can_go_on=can_go_on)
        return self._ended(CloseReason.ERROR, message)

    def ended(self) -> None:
        """The conversation is over, whatever the reason."""
        self._step(Input.ENDED)
        self._held.clear()

    def retry_due(self) -> list[Effect]:
        """The delay before the next try is over."""
        before = self.state
        self._step(Input.RETRIED)
        return [OpenTransport()] if before is State.LOST else []

    def rotation_due(self, now: float, *, quiet_at: float | None) -> list[Effect]:
        """The session has become old.

        Args:
            now: The time.
            quiet_at: Since when it has been, or will be, quiet enough; None when that cannot be told.
        """
        if self.state is not State.LIVE or self._rotates_at is None:
            return []
        if now < self._rotates_at:
            # Timers may be early, by what the event loop rounds.
            return [SetTimer(name=ROTATION_TIMER, deadline=self._rotates_at)]
        patience_ends_at = self._rotates_at + ROTATION_PATIENCE_S
        if (quiet_at is None or quiet_at > now) and now < patience_ends_at:
            # Look again when it may have become quiet, and when patience is at its end.
            again_at = min(patience_ends_at, max(quiet_at, now) if quiet_at is not None else now + 1.0)
            return [SetTimer(name=ROTATION_TIMER, deadline=again_at)]
        self._step(Input.ROTATED)
        return [OpenTransport()]

    def replacement_asked(self, options: Options) -> list[Effect]:
        """Another conversation is to take the place of this one.

        Raises:
            LocalProtocolError: There is no conversation that it could replace; nothing has changed.
        """
        if self.state in (State.CONNECTING, State.CLOSED):
            raise LocalProtocolError(f"expected a running conversation to replace; this one is {self.state.value}")
        self._next_options = options
        self._step(Input.REPLACED)
        return [CancelTimer(name=RETRY_TIMER), CancelTimer(name=ROTATION_TIMER), OpenTransport(replaces=True)]

    def sent(self, intent: intents.ChangeInstructions) -> None:
        """The session has other instructions than it began with: the next session has to have them too."""
        self._instructions = intent

    def hold(self, said: Iterable[intents.Intent]) -> None:
        """Keep what cannot be said now. What only made sense in the lost session is dropped.

        Overflow: past `MAX_HELD` the oldest of what the agent said is dropped, and only then of what the user typed.
        """
        for intent in said:
            kept = _without_audio(intent) if self.options.session_outlives_way else _outlives_session(intent)
            if kept is None:
                continue
            if isinstance(kept, intents.ChangeInstructions):
                self._instructions = kept
                continue
            if isinstance(kept, intents.RequestResponse) and kept in self._held:
                # One response answers all that is said before it.
                self._held.remove(kept)
            if len(self._held) >= MAX_HELD:
                self._drop_one()
            self._held.append(kept)

    @property
    def held_texts(self) -> frozenset[str]:
        """The texts that are going to be said as they are, so that no account of the conversation repeats them."""
        return frozenset(
            intent.text
            for intent in self._held
            if isinstance(intent, intents.MirrorTyped | intents.AddText | intents.ReportProgress | intents.ReportAsItem)
        )

    def release(self) -> tuple[intents.Intent, ...]:
        """What is to be said now that there is a way again, in order; the newest instructions first."""
        changed = () if self._instructions is None else (self._instructions,)
        held = (*changed, *self._held)
        self._held.clear()
        return held

    def _lose(self, message: str, chance: float, now: float, *, can_go_on: bool) -> Verdict:
        before = self.state
        self._step(Input.LOST)
        self._can_go_on = can_go_on
        self._lost_at = now
        if now - self._opened_at >= STABLE_S:
            self._n_tries = 0
        match before:
            case State.LIVE:
                return Verdict(effects=(CancelTimer(name=ROTATION_TIMER), *self._retry(message, chance, now)))
            case State.ROTATING:
                # The next session is being opened already.
                self._n_tries += 1
                reconnecting = ConversationReconnecting(attempt=self._n_tries, delay_s=0.0, message=message)
                return Verdict(effects=(Show(event=reconnecting),))
            case _:
                return Verdict()

    def _retry(self, message: str, chance: float, now: float) -> tuple[Effect, ...]:
        self._n_tries += 1
        delay_s = _delay_s(self._n_tries, chance)
        reconnecting = ConversationReconnecting(attempt=self._n_tries, delay_s=round(delay_s, 3), message=message)
        return (Show(event=reconnecting), SetTimer(name=RETRY_TIMER, deadline=now + delay_s))

    def _ended(self, reason: CloseReason, message: str) -> Verdict:
        return Verdict(ends=reason, message=message)

    def _plan_rotation(self, after_s: float | None, now: float, *, since: float) -> list[Effect]:
        if after_s is None or not self.options.reconnect:
            return []
        self._rotates_at = max(now, since + after_s)
        return [SetTimer(name=ROTATION_TIMER, deadline=self._rotates_at)]

    def _drop_one(self) -> None:
        for position, intent in enumerate(self._held):
            if not isinstance(intent, intents.MirrorTyped):
                del self._held[position]
                return
        self._held.popleft()

    def _unexpected(self, what: str) -> LocalProtocolError:
        return LocalProtocolError(f"expected no opening while {self.state.value}, but {what}")

    def _step(self, happened: Input) -> None:
        self.state = TRANSITIONS[self.state][happened]
        self.has_way = self.state in _WITH_A_WAY
        self.is_over = self.state is State.CLOSED


def _delay_s(n_tries: int, chance: float) -> float:
    """How long to wait before a try, the first being 1: give or take a quarter, so that clients do not come at once."""
    # The exponent is bounded only so that it cannot become too large for a float.
    doubled_s = FIRST_DELAY_S * 2.0 ** min(n_tries - 1, 10)  # mutants: same
    return min(MAX_DELAY_S, doubled_s) * (0.75 + chance / 2)


def _without_audio(intent: intents.Intent) -> intents.Intent | None:
    """What of something makes sense later in the same session: all but sound, which belongs to its moment."""
    return None if isinstance(intent, intents.AppendAudio | intents.CloseSession) else intent


def _outlives_session(intent: intents.Intent) -> intents.Intent | None:
    """What of something that was to be said makes sense in another session: knowledge does, ids do not."""
    match intent:
        case intents.AddText() | intents.MirrorTyped() | intents.SpeakText() | intents.ReportAsItem():
            return intent
        case intents.ChangeInstructions():
            return intent
        case intents.ReportProgress(text=text, phase=phase, channel=channel):
            return intents.ReportProgress(handoff_id=None, text=text, phase=phase, channel=channel)
        case intents.FinishHandoff(output=output, is_news=True):
            return intents.ReportProgress(handoff_id=None, text=output, phase="final")
        case (
            intents.FinishHandoff()
            | intents.AnswerCall()
            | intents.RequestResponse()
            | intents.Truncate()
            | intents.UpdateSession()
            | intents.CloseSession()
            | intents.AppendAudio()
        ):
            return None
    assert_never(intent)
