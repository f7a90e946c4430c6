"""The handoff machine: what the agent is asked to do, and that every question about it is answered.

Theory of operation. There is at most one task. It is started by the voice (a delegation, whose call waits for an
answer) or by typed text (no call). While it runs, further requests steer it: by voice each has a call of its own, which
is answered at once. A stop ends the task and everything it started; requests that come while it is stopping wait, and
start when it has ended.

Every call id is claimed once (the last `REMEMBERED_CALLS` are remembered) and answered exactly once, in every ending:
the agent finished, said nothing, failed or was stopped, or did not stop in time; the request was empty; the session
ends. In dialects where calls are not answered the dialect has no words for these intents. When the session is lost with
its connection, its calls are void: nobody is left to hear an answer, and the results reach the next session as news.

A request that says itself that it is for later ("after this, run the linter") waits like one that comes while the task
is stopping. Where the client manages handoffs (`client_managed_handoffs`) it tells the voice what comes of them, so
nothing of it is said here but the answer to a call that changed the running task or waits for its end.

The table says how the state moves; what is sent at each step is in the methods.

The file is long because that every call is answered once can only be judged with all of its endings in view.

Source: realtime.md 5.1 to 5.3; stop, waiting requests and the answers in every ending are ours.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from backchannel.core.delegation import is_for_later, parse_delegation, render_delegation, without_lead
from backchannel.core.effects import CancelTimer, Effect, InterruptTurn, Send, SetTimer, Show, StartTurn, SteerTurn
from backchannel.core.floor import News, Reason, Speech
from backchannel.core.reports import Outcome, Phase
from backchannel.core.screen import (
    StatusAnswered,
    TaskEnded,
    TaskQueued,
    TaskStarted,
    TaskSteered,
    TaskStopping,
    TypedText,
    Warned,
)
from backchannel.wire.realtime import intents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.core.options import Options
    from backchannel.core.transcript import Utterance

__all__ = [
    "REMEMBERED_CALLS",
    "STOP_DEADLINE_S",
    "TIMER",
    "TRANSITIONS",
    "Decision",
    "Handoff",
    "Input",
    "State",
    "Task",
    "silent_tags",
]

REMEMBERED_CALLS: Final = 1024
_REMEMBERED_TURNS: Final = 64
MAX_LATEST: Final = 400
"""How many characters of what the agent said last are told with the status."""
MAX_QUEUED: Final = 64
"""How many requests may wait for the running task."""
STOP_DEADLINE_S: Final = 10.0
"""How long a stopped task may take to end. Agents give their children 2 s between asking and killing."""
TIMER: Final = "stop"

# What the voice is told; our own words.
THOUGHT_PREFIX: Final = "[STATUS] "
"""Before what the agent thinks. Source: the reference 0.169.0, measured."""
FINISHED: Final = "The background agent is done. What it said, in the messages marked [BACKEND], is the result."
FINISHED_SILENTLY: Final = "The background agent is done. It had nothing to say about it."
STEERED: Final = "The task that is already running was given this as a change."
INTERRUPTED: Final = "The task was stopped before it was finished."
STOPPED: Final = "The task was stopped before it was finished, as asked."
STOPPED_ANSWER: Final = "The task is stopped."
NOTHING_TO_STOP: Final = "No task is running, so there was nothing to stop."
QUEUED: Final = "This is kept and will be started when the running task is done."
TOO_MANY: Final = "Too much is waiting to be done already, so this was not kept. Ask again when something is done."
EMPTY: Final = "There was no request in this. Ask the user what to do."
SESSION_ENDS: Final = "The conversation ends before the task does."
STOP_OVERDUE: Final = "The task did not stop in time and was given up."


class State(enum.Enum):
    """Where the one task stands."""

    IDLE = "idle"
    WORKING = "working"
    STOPPING = "stopping"


class Input(enum.Enum):
    """What can happen to it."""

    ASKED = "asked"
    STOP_ASKED = "stop_asked"
    ENDED = "ended"
    STOP_OVERDUE = "stop_overdue"


TRANSITIONS: Final[dict[State, dict[Input, State]]] = {
    State.IDLE: {
        Input.ASKED: State.WORKING,
        Input.STOP_ASKED: State.IDLE,
        Input.ENDED: State.IDLE,
        Input.STOP_OVERDUE: State.IDLE,
    },
    State.WORKING: {
        Input.ASKED: State.WORKING,
        Input.STOP_ASKED: State.STOPPING,
        Input.ENDED: State.IDLE,
        Input.STOP_OVERDUE: State.WORKING,
    },
    State.STOPPING: {
        Input.ASKED: State.STOPPING,
        Input.STOP_ASKED: State.STOPPING,
        Input.ENDED: State.IDLE,
        Input.STOP_OVERDUE: State.IDLE,
    },
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the machine wants done, and what the voice should say of it."""

    effects: tuple[Effect, ...] = ()
    progress: str | None = None
    """What the agent said on its way, to be passed on when it is time."""
    news: News | None = None
    """What the voice should speak of."""
    started: str | None = None
    """The turn that has begun."""
    ended: tuple[str, ...] = ()
    """The turns that are over."""


_NOTHING: Final = Decision()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """Something asked of the agent."""

    text: str
    """What the agent is told."""
    words: str
    """What a person asked for."""
    spoken: str | None = None
    """What was said before a delegation; None for a request that is none."""
    is_later: bool = False
    """Whether it was asked for as the task after the running one."""
    by_voice: bool
    call_id: str | None
    """The call that waits for an answer: none for typed text, and none once it has been answered."""


@dataclasses.dataclass(slots=True, kw_only=True)
class _Task:
    """The task that runs."""

    turn_id: str
    request: _Request
    started_at: float
    latest: str | None = None
    """The last thing the agent said of it."""
    # Before anything was said, nobody asks.
    is_latest_offered: bool = False  # mutants: same
    """Whether the voice was asked to speak of that when it came."""
    stop_calls: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the agent is working on, for those who show it."""

    turn_id: str
    request: str
    """In the words in which it was asked."""
    by_voice: bool
    started_at: float
    """Seconds on the clock that `now` is read from."""
    call_id: str | None
    """The delegation that waits for its result; None when none does."""
    is_stopping: bool


class Handoff:
    """Follows the agent's one task and the calls that wait for it."""

    def __init__(self, options: Options) -> None:
        self.state = State.IDLE
        self._options = options
        self._task: _Task | None = None
        self._queued: collections.deque[_Request] = collections.deque()
        self._claimed: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._n_turns = 0
        self._stopped_turn_id: str | None = None
        self._over: collections.deque[str] = collections.deque(maxlen=_REMEMBERED_TURNS)
        self._last: tuple[str, Outcome, float] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no task runs or waits."""
        return self.state is State.IDLE

    @property
    def task(self) -> Task | None:
        """The task; None when there is none."""
        if self._task is None:
            return None
        return Task(
            turn_id=self._task.turn_id,
            request=self._task.request.words,
            by_voice=self._task.request.by_voice,
            started_at=self._task.started_at,
            call_id=self._task.request.call_id,
            is_stopping=self.state is State.STOPPING,
        )

    def has_claimed(self, call_id: str) -> bool:
        """Whether a call with this id has been taken already."""
        return call_id in self._claimed

    def take_call(self, call_id: str) -> Decision | None:
        """Take a call that somebody else is going to answer; what is to be done instead where it is a repeated one."""
        return None if self._claim(call_id) else _duplicate(call_id)

    def called(self, call_id: str, *, output: str, speak: Reason | None) -> Decision:
        """A call that is no business of the agent's: it is answered at once, once."""
        if not self._claim(call_id):
            return _duplicate(call_id)
        answer = Send(intent=intents.AnswerCall(call_id=call_id, output=output))
        return Decision(effects=(answer,), news=None if speak is None else News(reason=speak, about=call_id))

    def delegated(self, call_id: str, text: str, said: tuple[Utterance, ...], now: float) -> Decision:
        """The voice hands work over; without words of its own the transcript says what is asked."""
        if not self._claim(call_id):
            return _duplicate(call_id)
        spoken = "\n".join(f"{entry.speaker}: {entry.text}" for entry in said)
        words = text if text.strip() else spoken
        if not words.strip():
            if self._options.client_managed_handoffs:
                return _NOTHING
            answer = intents.FinishHandoff(handoff_id=call_id, output=EMPTY)
            return Decision(effects=(Send(intent=answer),), news=News(reason=Reason.ASKED, about=call_id))
        envelope = render_delegation(words, spoken)
        request = _Request(text=envelope, words=words, spoken=spoken, by_voice=True, call_id=call_id)
        return self._asked(request, now)

    def typed(self, text: str, *, mirrored: bool, now: float) -> Decision:
        """The user typed something to the agent; the voice is let know."""
        if not text.strip():
            return _NOTHING
        seen: tuple[Effect, ...] = (Show(event=TypedText(text=text)),)
        if mirrored:
            seen = (*seen, Send(intent=intents.MirrorTyped(text=text)))
        decision = self._asked(_Request(text=text, words=text, by_voice=False, call_id=None), now)
        return dataclasses.replace(decision, effects=(*seen, *decision.effects))

    def stop_asked(self, call_id: str | None, now: float) -> Decision:
        """The task is to stop: asked for by a call, or by the user's own hand (None)."""
        if call_id is not None and not self._claim(call_id):
            return _duplicate(call_id)
        if self._task is None:
            if call_id is None:
                return _NOTHING
            answer = intents.AnswerCall(call_id=call_id, output=NOTHING_TO_STOP)
            return Decision(effects=(Send(intent=answer),), news=News(reason=Reason.ASKED, about=call_id))
        if call_id is not None:
            self._task.stop_calls.append(call_id)
        # Whatever waited was asked for before the user said stop.
        effects = self._drop_queued(STOPPED)
        if self.state is State.WORKING:
            turn_id = self._stopped_turn_id = self._task.turn_id
            effects += [
                Show(event=TaskStopping(turn_id=turn_id)),
                InterruptTurn(turn_id=turn_id),
                SetTimer(name=TIMER, deadline=now + STOP_DEADLINE_S),
            ]
        self._step(Input.STOP_ASKED)
        return Decision(effects=tuple(effects))

    def waiting_call(self, turn_id: str) -> str | None:
        """The delegation whose result a turn writes, where that may be passed on as it comes; None for no such one."""
        task, options = self._task, self._options
        is_on_its_own = not options.client_managed_handoffs and not options.reports_as_items and self._is_immediate
        if task is None or task.turn_id != turn_id or self.state is not State.WORKING or not is_on_its_own:
            return None
        return task.request.call_id

    def message(self, turn_id: str, text: str, phase: Phase, *, rest: str | None = None) -> Decision:
        """The agent said something; also of a turn that was not started here, but not of one that is over.

        Args:
            turn_id: The turn.
            text: What it said.
            phase: Whether it is the result.
            rest: What has not gone out yet of a text that was streamed; None when it was not.
        """
        task = self._task
        if turn_id in self._over or not text.strip():
            return _NOTHING
        if task is None or task.turn_id != turn_id:
            return self._standalone(turn_id, text, phase)
        if self.state is State.STOPPING and phase is not Phase.FINAL:
            return _NOTHING
        task.latest, task.is_latest_offered = text, False
        if self._options.client_managed_handoffs:
            return _NOTHING
        news: News | None = None
        if self._is_immediate:
            # As the reference: a call that waits for its answer is spoken of with the answer, all else as it comes.
            if task.request.call_id is None and not self._options.reports_as_items:
                news = News(reason=Reason.RESULT, about=turn_id, text=_first_paragraph(text))
                task.is_latest_offered = True
        elif phase is not Phase.FINAL and not self._options.reports_as_items:
            news = News(reason=Reason.MILESTONE, about=turn_id, text=_first_paragraph(text))
        # Otherwise the end of the turn follows a final message and asks for speech.
        if rest is not None:
            return Decision(effects=(Send(intent=self.piece(rest, text)),) if rest else (), news=news)
        if self._marked(phase) == "commentary":
            return Decision(progress=text, news=news)
        return Decision(effects=(Send(intent=self.report(text, phase)),), news=news)

    @property
    def _is_immediate(self) -> bool:
        return self._options.speech is Speech.IMMEDIATE

    def report(self, text: str, phase: Phase, *, is_standalone: bool = False) -> intents.Intent:
        """How the voice is told what the agent says; standalone: of no delegation, whichever is active."""
        options, channel = self._options, self._channel(text)
        if options.reports_as_items:
            return intents.ReportAsItem(text=text, prefix=options.report_prefix, channel=channel)
        call_id = None if self._task is None or is_standalone else self._task.request.call_id
        return intents.ReportProgress(handoff_id=call_id, text=text, phase=self._marked(phase), channel=channel)

    def _marked(self, phase: Phase) -> intents.Phase | None:
        """How the voice is told what a message is; None: it is left to the dialect."""
        match phase:
            case Phase.FINAL:
                return "final"
            case Phase.UNMARKED if self._is_immediate:
                # As the reference, which does not wait to see whether the agent goes on.
                return None
            case Phase.COMMENTARY | Phase.UNMARKED:
                return "commentary"
        assert_never(phase)

    def thought(self, turn_id: str, text: str) -> Decision:
        """The agent told what it thinks."""
        options, task = self._options, self._task
        is_wanted = options.tells_thoughts and options.speaks_by_channel and not options.client_managed_handoffs
        if not is_wanted or task is None or task.turn_id != turn_id or self.state is not State.WORKING:
            return _NOTHING
        call_id = task.request.call_id
        if call_id is None or not text.strip():
            return _NOTHING
        status = intents.ReportProgress(handoff_id=call_id, text=THOUGHT_PREFIX + text, channel="commentary")
        return Decision(effects=(Send(intent=status),))

    def piece(self, piece: str, text: str) -> intents.Intent:
        """How the voice is told a piece of a text that the agent writes for the delegation that waits."""
        call_id = None if self._task is None else self._task.request.call_id
        return intents.ReportProgress(handoff_id=call_id, text=piece, channel=self._channel(text))

    def _channel(self, text: str) -> intents.Channel | None:
        options = self._options
        if options.speaks_by_channel and options.report_tags is not None:
            return "commentary" if text.startswith(silent_tags(options)) else "speakable"
        return self._usual_channel

    @property
    def _usual_channel(self) -> intents.Channel | None:
        options = self._options
        if options.report_channel is not None or not options.speaks_by_channel:
            return options.report_channel
        # This text only lets the voice know: when to speak of it is decided by the floor.
        return None if self._is_immediate else "commentary"

    def _standalone(self, turn_id: str, text: str, phase: Phase) -> Decision:
        if self._options.client_managed_handoffs:
            return _NOTHING
        said = Send(intent=self.report(text, phase, is_standalone=True))
        if self._options.reports_as_items:
            return Decision(effects=(said,))
        reason = Reason.RESULT if phase is Phase.FINAL else Reason.MILESTONE
        return Decision(effects=(said,), news=News(reason=reason, about=turn_id, text=_first_paragraph(text)))

    def steer_failed(self, turn_id: str, reason: str) -> Decision:
        """The agent could not take a change: the user has to hear why."""
        task = self._task
        if task is None or task.turn_id != turn_id or self.state is State.STOPPING:
            return _NOTHING
        if self._options.client_managed_handoffs:
            return Decision(effects=(Show(event=Warned(message=reason)),))
        report = Send(intent=self.report(reason, Phase.COMMENTARY))
        return Decision(effects=(report,), news=News(reason=Reason.ASKED, about=turn_id, text=reason))

    def steer_missed(self, turn_id: str, text: str, *, by_voice: bool, now: float) -> Decision:
        """A change came too late for its task: it is the next one, unless the user said stop after it."""
        if self.state is State.STOPPING or turn_id == self._stopped_turn_id:
            return _NOTHING
        request = _Request(text=text, words=parse_delegation(text), by_voice=by_voice, call_id=None)
        if self._task is None:
            return self._asked(request, now)
        self._queued.append(request)
        return _NOTHING

    def ended(self, turn_id: str, outcome: Outcome, error: str | None, now: float) -> Decision:
        """A turn is over."""
        if self._task is None or self._task.turn_id != turn_id:
            return _NOTHING
        return self._finish(Input.ENDED, outcome, error, now)

    def overdue(self, now: float) -> Decision:
        """The task did not stop in time."""
        if self.state is not State.STOPPING:
            return _NOTHING
        return self._finish(Input.STOP_OVERDUE, Outcome.FAILED, STOP_OVERDUE, now)

    def status_asked(self, call_id: str | None, now: float) -> Decision:
        """How is the work going? Asked for by a call, or by the user's own hand (None)."""
        if call_id is not None and not self._claim(call_id):
            return _duplicate(call_id)
        status = self.status(now)
        effects: tuple[Effect, ...] = (Show(event=StatusAnswered(text=status)),)
        if call_id is None:
            return Decision(effects=effects)
        answer = intents.AnswerCall(call_id=call_id, output=status)
        return Decision(effects=(*effects, Send(intent=answer)), news=News(reason=Reason.ASKED, about=call_id))

    def status(self, now: float) -> str:
        """How the work is going, in a sentence or two to be spoken."""
        task = self._task
        if task is None:
            if self._last is None:
                return "No task is running, and none has been asked for yet."
            words, outcome, ended_at = self._last
            how = {
                Outcome.COMPLETED: "finished",
                Outcome.FAILED: "failed",
                Outcome.INTERRUPTED: "was stopped",
            }[outcome]
            return f"No task is running. The last one, {_brief(words)}, {how} {_ago(now - ended_at)} ago."
        if self.state is State.STOPPING:
            return f"The task, {_brief(task.request.words)}, is being stopped."
        latest = f" Latest: {_short(_first_paragraph(task.latest), MAX_LATEST)}" if task.latest is not None else ""
        return f"Still working on {_brief(task.request.words)}, for {_ago(now - task.started_at)} now.{latest}"

    def session_ending(self) -> tuple[Effect, ...]:
        """The session ends: answer what still waits for an answer. What was asked for is still done, if it can be."""
        effects = self._given_up(self._queued, SESSION_ENDS)
        if self._task is not None:
            effects += self._given_up([self._task.request], SESSION_ENDS)
            effects += _answer_stops(self._task, SESSION_ENDS)
        self.session_lost()
        return tuple(effects)

    def session_lost(self) -> None:
        """The session is gone with its connection: its calls are void, and nobody is left to answer them to."""
        if self._task is not None:
            self._task.request = dataclasses.replace(self._task.request, call_id=None)
            self._task.stop_calls.clear()
        # The next session gives its calls ids of its own.
        self._claimed.clear()
        self._queued = collections.deque(dataclasses.replace(request, call_id=None) for request in self._queued)

    def speech_set(self, level: Speech) -> None:
        """The user chose how much the voice says unasked."""
        self._options = msgspec.structs.replace(self._options, speech=level)

    def replaced(self, options: Options) -> None:
        """Another conversation begins; the task goes on and its result is news there."""
        self.session_lost()
        self._options = options

    def _asked(self, request: _Request, now: float) -> Decision:
        state = self.state
        self._step(Input.ASKED)
        if self._task is None:
            return self._start(request, now)
        if is_for_later(request.words):
            return self._kept(request)
        if state is State.STOPPING:
            self._queued.append(request)
            return _NOTHING
        turn_id = self._task.turn_id
        steered = TaskSteered(turn_id=turn_id, request=request.words, by_voice=request.by_voice)
        steer = SteerTurn(turn_id=turn_id, text=request.text, by_voice=request.by_voice)
        effects: tuple[Effect, ...] = (steer, Show(event=steered))
        stands_for_it = self._options.replaces_active_handoff or self._task.request.call_id is None
        if stands_for_it and request.call_id is not None:
            # The newer delegation stands for the task from now on; an older one is not heard of again.
            self._task.request = dataclasses.replace(self._task.request, call_id=request.call_id)
            return Decision(effects=effects)
        answer = _answer(request.call_id, STEERED)
        news = News(reason=Reason.ASKED, about=request.call_id) if request.call_id is not None else None
        return Decision(effects=(*effects, *answer), news=news)

    def _kept(self, request: _Request) -> Decision:
        news = News(reason=Reason.ASKED, about=request.call_id) if request.call_id is not None else None
        if len(self._queued) >= MAX_QUEUED:
            answer = _answer(request.call_id, TOO_MANY)
            return Decision(effects=(Show(event=Warned(message=TOO_MANY)), *answer), news=news)
        words = without_lead(request.words)
        text = words if request.spoken is None else render_delegation(words, request.spoken)
        self._queued.append(dataclasses.replace(request, text=text, words=words, is_later=True, call_id=None))
        shown = Show(event=TaskQueued(request=words, by_voice=request.by_voice))
        return Decision(effects=(shown, *_answer(request.call_id, QUEUED)), news=news)

    def _start(self, request: _Request, now: float) -> Decision:
        self._n_turns += 1
        turn_id = f"turn_{self._n_turns}"
        self._task = _Task(turn_id=turn_id, request=request, started_at=now)
        started = TaskStarted(turn_id=turn_id, request=request.words, by_voice=request.by_voice)
        effects = (StartTurn(turn_id=turn_id, text=request.text), Show(event=started))
        return Decision(effects=effects, started=turn_id)

    def _finish(self, why: Input, outcome: Outcome, error: str | None, now: float) -> Decision:
        task = self._task
        if task is None:
            raise AssertionError("only a task ends")
        was_stopping = self.state is State.STOPPING
        effects: list[Effect] = [CancelTimer(name=TIMER)] if was_stopping else []
        output = STOPPED if was_stopping and outcome is Outcome.INTERRUPTED else _output(task, outcome, error)
        effects += self._concluded(task, output)
        effects += _answer_stops(task, STOPPED_ANSWER if why is Input.ENDED else STOP_OVERDUE)
        ended = TaskEnded(turn_id=task.turn_id, outcome=outcome, elapsed_s=now - task.started_at, error=error)
        effects.append(Show(event=ended))
        self._last = (task.request.words, outcome, now)
        self._task = None
        self._over.append(task.turn_id)
        self._step(why)
        news = self._news_of(task, outcome, output, is_asked=was_stopping)
        started = None
        while self._queued:
            # The first starts the next task, the others change it, or wait for its end too.
            if started is not None and self._queued[0].is_later:
                break
            decision = self._asked(self._queued.popleft(), now)
            effects += decision.effects
            started = started or decision.started
            news = news or decision.news
        return Decision(effects=tuple(effects), news=news, started=started, ended=(task.turn_id,))

    def _concluded(self, task: _Task, output: str) -> list[Effect]:
        """The voice learns that the task is over."""
        if self._options.client_managed_handoffs:
            return []
        has_been_said = output == FINISHED
        if self._options.reports_as_items:
            # The result went out as an item; the call only has to be closed.
            said: list[Effect] = [] if has_been_said else [Send(intent=self.report(output, Phase.FINAL))]
            return [*said, *_answer(task.request.call_id, "")]
        if task.request.call_id is None:
            # No call carries this to the voice, which is about to speak of it.
            return [] if has_been_said else [Send(intent=self.report(output, Phase.FINAL))]
        # Where calls are not answered, what the agent has not said itself has to be told as news.
        answer = intents.FinishHandoff(
            handoff_id=task.request.call_id,
            output=output,
            is_news=not has_been_said,
            channel=self._usual_channel,
        )
        return [Send(intent=answer)]

    def _news_of(self, task: _Task, outcome: Outcome, output: str, *, is_asked: bool) -> News | None:
        if is_asked:
            reason = Reason.ASKED
        elif self._options.client_managed_handoffs or self._options.reports_as_items:
            return None
        elif task.is_latest_offered and task.request.call_id is None and output == FINISHED:
            # Each message was spoken of as it came.
            return None
        else:
            reason = Reason.FAILURE if outcome is Outcome.FAILED else Reason.RESULT
        said = output if output != FINISHED or task.latest is None else task.latest
        return News(reason=reason, about=task.turn_id, text=_first_paragraph(said))

    def _drop_queued(self, output: str) -> list[Effect]:
        dropped = self._given_up(self._queued, output)
        self._queued.clear()
        return dropped

    def _given_up(self, requests: Iterable[_Request], output: str) -> list[Effect]:
        """The answers to delegations of which nothing more will be heard; where the client manages them it tells so."""
        if self._options.client_managed_handoffs:
            return []
        return [effect for request in requests for effect in _answer(request.call_id, output)]

    def _claim(self, call_id: str) -> bool:
        if self.has_claimed(call_id):
            return False
        self._claimed[call_id] = None
        if len(self._claimed) > REMEMBERED_CALLS:
            self._claimed.popitem(last=False)
        return True

    def _step(self, happened: Input) -> None:
        self.state = TRANSITIONS[self.state][happened]


def silent_tags(options: Options) -> tuple[str, ...]:
    """How a text begins that is not for the ear."""
    return tuple(tag for tags in (options.report_tags or {}).values() for tag in tags)


def _duplicate(call_id: str) -> Decision:
    warning = Warned(message=f"the server repeated the tool call {call_id}; it was ignored")
    return Decision(effects=(Show(event=warning),))


def _answer(call_id: str | None, output: str) -> tuple[Effect, ...]:
    """The answer to a delegation; typed text waits for none."""
    if call_id is None:
        return ()
    return (Send(intent=intents.FinishHandoff(handoff_id=call_id, output=output)),)


def _answer_stops(task: _Task, output: str) -> list[Effect]:
    calls, task.stop_calls = task.stop_calls, []
    return [Send(intent=intents.AnswerCall(call_id=call_id, output=output)) for call_id in calls]


def _output(task: _Task, outcome: Outcome, error: str | None) -> str:
    match outcome:
        case Outcome.COMPLETED:
            return FINISHED_SILENTLY if task.latest is None else FINISHED
        case Outcome.FAILED:
            return f"The background agent could not finish: {error or 'it did not say why'}"
        case Outcome.INTERRUPTED:
            return INTERRUPTED
    assert_never(outcome)


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().partition("\n\n")[0].split())


def _short(text: str, n_characters: int) -> str:
    return text if len(text) <= n_characters else text[: n_characters - 1] + "…"


def _brief(words: str) -> str:
    """A request as a short quotation."""
    return f"“{_short(_first_paragraph(words), 80)}”"


def _ago(elapsed_s: float) -> str:
    if elapsed_s < 1.5:
        return "a second"
    if elapsed_s < 90:
        return f"{elapsed_s:.0f} seconds"
    return f"{elapsed_s / 60:.0f} minutes"
