"""The loop of one turn: what is asked of the model, what is done of what it wants, and when it is over. Pure.

Theory of operation. Events go in, actions come out; whoever drives it sends the requests, runs the tools, and tells
what came. Three states:

    ASKING    a request to the model is out, or waits to be sent again
    ACTING    the model wants tools; they are used one after the other
    ENDED     nothing more comes

    ASKING   response complete, with calls      -> ACTING     the first call is run
    ASKING   response complete, without         -> ENDED      completed
    ASKING   a change                           -> ASKING     the request is aborted, the next goes out at once with it
    ASKING   failure                            -> ASKING     the next try, over HTTP, or with less; else ENDED, failed
    ACTING   output of the last call            -> ASKING     with everything, and the changes that came meanwhile
    ACTING   a change                           -> ACTING     what runs is to tell what there is, the rest is not run
    any      interrupted                        -> ENDED      interrupted

What was unfinished when a request is aborted is forgotten: it was never said. What was complete stays, in the history
as on the screen; a call among it, which nobody has begun, is answered with that. So each call has exactly one output,
and a change is in the next request, whatever happens before.

A message of the model is its result when the response ends with it, without calls; what stands before something else is
said on the way. That is only known afterwards, so one message is held back until then, unless the model says that it is
one on the way.

Events of a request that is not the running one are of an aborted one, and ignored; so are outputs that nobody waits
for.

The file is long because that each call has exactly one output can only be judged with every row of the table in view.

Source: app-server.md 5.2, realtime.md 5.1.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

import msgspec

from backchannel.agents.responses import events
from backchannel.agents.responses.failures import Cause, Failure, FallBack, GiveUp, TryAgain
from backchannel.agents.responses.items import Call, Kept, Output, Said, Spoken, SpokenPhase
from backchannel.core import (
    AgentMessage,
    AgentMessageDelta,
    AgentMessageDropped,
    AgentThought,
    AgentThoughtDelta,
    AgentTurnEnded,
    Outcome,
    Phase,
    TokensUsed,
)
from backchannel.errors import LocalProtocolError

if TYPE_CHECKING:
    from backchannel.agents.responses.failures import Retries
    from backchannel.agents.responses.history import History
    from backchannel.agents.responses.items import Item
    from backchannel.core import AgentReport, Note

__all__ = [
    "NOT_BEGUN",
    "Abort",
    "Action",
    "Answered",
    "Ask",
    "Begun",
    "CallEnded",
    "Event",
    "GoOverHttp",
    "Hurry",
    "Interrupted",
    "Loop",
    "Notify",
    "Report",
    "RunCall",
    "State",
    "Steered",
    "StopCall",
]

# What the model is told of calls that came to nothing.
NOT_BEGUN: Final = "Not run: the user said something else before it began."
INTERRUPTED: Final = "Stopped by the user."
NOT_BEGUN_INTERRUPTED: Final = "Not run: the user stopped the work before it began."


# ---- events ----


@dataclasses.dataclass(frozen=True, slots=True)
class Begun:
    """The turn begins."""

    text: str
    briefing: tuple[Note, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Steered:
    """The user wants something changed."""

    text: str
    briefing: tuple[Note, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Interrupted:
    """The user wants it to end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """Something came of a request."""

    request: int
    event: events.StreamEvent


@dataclasses.dataclass(frozen=True, slots=True)
class CallEnded:
    """A tool has done its work, or could not."""

    call_id: str
    output: str


Event: TypeAlias = Begun | Steered | Interrupted | Answered | CallEnded


# ---- actions ----


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """Send a request to the model, after a wait; no other one is out."""

    request: int
    items: tuple[Item, ...]
    delay_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Abort:
    """Drop the request that is out."""

    request: int


@dataclasses.dataclass(frozen=True, slots=True)
class RunCall:
    """Use a tool; no other call runs."""

    call: Call


@dataclasses.dataclass(frozen=True, slots=True)
class Hurry:
    """The running call is to come to its output now, finished or not."""

    call_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class StopCall:
    """End the running call; nobody waits for its output."""

    call_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class GoOverHttp:
    """Give the websocket up for good."""


@dataclasses.dataclass(frozen=True, slots=True)
class Notify:
    """Tell a person."""

    notice: str


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """Report to whoever runs the turn."""

    report: AgentReport


Action: TypeAlias = Ask | Abort | RunCall | Hurry | StopCall | GoOverHttp | Notify | Report


class State(enum.Enum):
    """Where the turn stands."""

    NEW = "new"
    ASKING = "asking"
    ACTING = "acting"
    ENDED = "ended"


class Loop:
    """One turn of a thread.

    Args:
        turn_id: Stands on its reports.
        history: Of the thread; it is added to.
        retries: What follows failures.
    """

    def __init__(self, turn_id: str, *, history: History, retries: Retries) -> None:
        self._turn_id = turn_id
        self._history = history
        self._retries = retries
        self._state = State.NEW
        self._request = 0
        """The number of the newest one; it is out when the state is ASKING."""
        self._received: list[Item] = []
        """Of that request, complete, not yet in the history."""
        self._held: Spoken | None = None
        self._is_writing = False
        """Whether a message has begun to come and is not complete."""
        self._thinking: dict[int, list[str]] = {}
        """What has come of the summary of a thought that is not complete, by its parts."""
        self._calls: collections.deque[Call] = collections.deque()
        """Those to be run, the first of which runs."""
        self._changes: list[Said] = []
        """What came while a call ran; it goes into the next request."""
        self._tokens = TokensUsed()
        self._last_tokens: TokensUsed | None = None

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    def handle(self, event: Event) -> list[Action]:
        """What is to be done now, in order.

        Raises:
            LocalProtocolError: It begins twice, or something is said to a turn that does not run.
        """
        match event:
            case Begun(text=text, briefing=briefing):
                if self._state is not State.NEW:
                    raise LocalProtocolError("the turn has begun already")
                self._history.add(*(Said(role, told) for role, told in briefing), Said("user", text))
                return [self._ask()]
            case Steered(text=text, briefing=briefing):
                return self._steered((Said("user", text), *(Said(role, told) for role, told in briefing)))
            case Interrupted():
                return self._interrupted()
            case Answered(request=request, event=came):
                if self._state is not State.ASKING or request != self._request:
                    return []
                return self._answered(came)
            case CallEnded(call_id=call_id, output=output):
                if self._state is not State.ACTING or self._calls[0].call_id != call_id:
                    return []
                return self._call_ended(output)
            case _ as unreachable:
                assert_never(unreachable)

    # ---- the user ----

    def _steered(self, said: tuple[Said, ...]) -> list[Action]:
        match self._state:
            case State.ASKING:
                actions: list[Action] = [Abort(self._request), *self._settle(NOT_BEGUN)]
                self._history.add(*said)
                self._retries.succeeded()
                return [*actions, self._ask()]
            case State.ACTING:
                self._changes.extend(said)
                return [Hurry(self._calls[0].call_id)]
            case State.NEW | State.ENDED:
                raise LocalProtocolError("no turn is running")
            case _ as unreachable:
                assert_never(unreachable)

    def _interrupted(self) -> list[Action]:
        actions: list[Action] = []
        match self._state:
            case State.ASKING:
                actions = [Abort(self._request), *self._settle(NOT_BEGUN_INTERRUPTED)]
            case State.ACTING:
                running = self._calls.popleft()
                actions = [StopCall(running.call_id)]
                self._history.add(_output(running, INTERRUPTED))
                self._skip_calls(NOT_BEGUN_INTERRUPTED)
                self._take_changes()
            case State.NEW | State.ENDED:
                raise LocalProtocolError("no turn is running")
            case _ as unreachable:
                assert_never(unreachable)
        return [*actions, *self._end(Outcome.INTERRUPTED)]

    # ---- the model ----

    def _answered(self, event: events.StreamEvent) -> list[Action]:
        match event:
            case events.Began():
                return []
            case events.ItemBegan():
                return self._say_held(Phase.COMMENTARY)
            case events.TextAdded(delta=delta):
                self._is_writing = True
                return [Report(AgentMessageDelta(turn_id=self._turn_id, delta=delta))]
            case events.ThoughtAdded(delta=delta, part=part):
                self._thinking.setdefault(part, []).append(delta)
                told = Report(AgentThoughtDelta(turn_id=self._turn_id, delta=delta, part=part))
                return [*self._say_held(Phase.COMMENTARY), told]
            case events.ThoughtDone(parts=parts, item=item):
                return self._thought_done(parts, item)
            case events.ItemDone(item=item):
                return self._item_done(item)
            case events.Completed(tokens=tokens):
                if tokens is not None:
                    self._last_tokens = tokens
                    self._tokens += tokens
                return self._completed()
            case events.Cut(reason=reason):
                return [
                    *self._settle(NOT_BEGUN),
                    *self._end(Outcome.FAILED, f"the model's answer was cut off: {reason}"),
                ]
            case Failure():
                return self._failed(event)
            case _ as unreachable:
                assert_never(unreachable)

    def _item_done(self, item: Item) -> list[Action]:
        actions = self._say_held(Phase.COMMENTARY)
        if isinstance(item, Call) and self._is_known(item):
            # An id that was used cannot be answered a second time.
            return actions
        self._received.append(item)
        if isinstance(item, Spoken):
            self._is_writing = False
            self._held = item
            if item.phase is SpokenPhase.COMMENTARY:
                actions += self._say_held(Phase.COMMENTARY)
        return actions

    def _thought_done(self, parts: tuple[str, ...], item: Item | None) -> list[Action]:
        actions = self._say_held(Phase.COMMENTARY)
        begun, self._thinking = self._thinking, {}
        # A summary that cannot be read takes nothing back.
        parts = parts or tuple("".join(begun[number]) for number in sorted(begun))
        if parts:
            actions.append(Report(AgentThought(turn_id=self._turn_id, parts=parts)))
        if item is not None:
            self._received.append(item)
        return actions

    def _is_known(self, call: Call) -> bool:
        received = any(isinstance(item, Call) and item.call_id == call.call_id for item in self._received)
        return received or self._history.has_call(call.call_id)

    def _completed(self) -> list[Action]:
        self._retries.succeeded()
        self._calls.extend(self._keep_received())
        # A blank message begins, and is none.
        dropped = self._drop_unfinished()
        if not self._calls:
            return [*self._say_held(Phase.FINAL), *dropped, *self._end(Outcome.COMPLETED)]
        self._state = State.ACTING
        return [*self._say_held(Phase.COMMENTARY), *dropped, RunCall(self._calls[0])]

    def _failed(self, failure: Failure) -> list[Action]:
        actions = self._settle(NOT_BEGUN)
        if failure.cause is Cause.TOO_LONG:
            if not self._history.shorten():
                error = "the model cannot take so much at once; ask for it in smaller parts"
                return [*actions, *self._end(Outcome.FAILED, error)]
            shortened = "the conversation got too long for the model; its older half is left out from here on"
            return [*actions, Notify(shortened), self._ask()]
        match self._retries.after(failure):
            case TryAgain(delay_s=delay_s, notice=notice):
                told = [] if notice is None else [Notify(notice)]
                return [*actions, *told, self._ask(delay_s)]
            case FallBack(notice=why):
                return [*actions, GoOverHttp(), Notify(why), self._ask()]
            case GiveUp(reason=reason):
                return [*actions, *self._end(Outcome.FAILED, reason, http_status=failure.http_status)]
            case _ as unreachable:
                assert_never(unreachable)

    # ---- the tools ----

    def _call_ended(self, output: str) -> list[Action]:
        self._history.add(_output(self._calls.popleft(), output))
        if self._changes:
            self._skip_calls(NOT_BEGUN)
        if self._calls:
            return [RunCall(self._calls[0])]
        self._take_changes()
        return [self._ask()]

    def _skip_calls(self, output: str) -> None:
        self._history.add(*(_output(call, output) for call in self._calls))
        self._calls.clear()

    def _take_changes(self) -> None:
        self._history.add(*self._changes)
        self._changes.clear()

    # ---- what all of them do ----

    def _ask(self, delay_s: float = 0.0) -> Ask:
        self._state = State.ASKING
        self._request += 1
        return Ask(self._request, self._history.ready(), delay_s)

    def _settle(self, not_run: str) -> list[Action]:
        """Take what is complete of a request that does not end into the history."""
        self._history.add(*(_output(call, not_run) for call in self._keep_received()))
        return [*self._say_held(Phase.COMMENTARY), *self._drop_unfinished()]

    def _drop_unfinished(self) -> list[Action]:
        was_unfinished = self._is_writing or bool(self._thinking)
        self._is_writing, self._thinking = False, {}
        return [Report(AgentMessageDropped(turn_id=self._turn_id))] if was_unfinished else []

    def _keep_received(self) -> list[Call]:
        """Take what is complete into the history; the calls among it, which are to be answered."""
        # A thought belongs to what follows it; a server refuses one after which nothing came.
        while self._received and isinstance(self._received[-1], Kept):
            self._received.pop()
        self._history.add(*self._received)
        calls = [item for item in self._received if isinstance(item, Call)]
        self._received.clear()
        return calls

    def _say_held(self, phase: Phase) -> list[Action]:
        held, self._held = self._held, None
        if held is None:
            return []
        if phase is Phase.COMMENTARY and held.phase is not SpokenPhase.COMMENTARY:
            phase = Phase.UNMARKED
        return [Report(AgentMessage(turn_id=self._turn_id, text=held.text, phase=phase))]

    def _end(self, outcome: Outcome, error: str | None = None, *, http_status: int | None = None) -> list[Action]:
        self._state = State.ENDED
        end = AgentTurnEnded(turn_id=self._turn_id, outcome=outcome, error=error)
        if self._last_tokens is not None:
            end = msgspec.structs.replace(end, tokens=self._tokens, last_tokens=self._last_tokens)
        return [Report(end if http_status is None else msgspec.structs.replace(end, http_status=http_status))]


def _output(call: Call, text: str) -> Output:
    return Output(call.call_id, text, call.is_freeform)
