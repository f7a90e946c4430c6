"""Playbooks: a conversation with the core, written down as what happens and what comes of it.

    with Playbook(core.Conversation(core.Options()), showing=False) as playbook:
        playbook >> events.TransportOpened() << effects.Configure()
        playbook >> events.TextTyped(text="run the tests") << sent(intents.MirrorTyped) << Anything()
        playbook.advance(0.7) << effects.Send(intent=intents.RequestResponse())

`>>` feeds an event, `<<` states the next effect. There is no loop and no sleep: time stands still until `advance` moves
it, which fires the timers that the effects have set. All effects have to be stated: one that is left over when the next
event comes, when time moves or at the end is a failure. Failures are `AssertionError` with a diff.
"""

from __future__ import annotations

import dataclasses
import difflib
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeAlias, TypeVar

from backchannel.core import effects, events
from backchannel.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Anything", "Machine", "Matcher", "Playbook", "SentMatcher", "ShownMatcher", "sent", "shown"]

Value = TypeVar("Value")


class Machine(Protocol):
    """What a playbook can be written for: `backchannel.core.Conversation`, or something in its place."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        """What to do about an event at a time."""


class Matcher(Protocol):
    """Stands for an effect that is not stated whole. Its `repr` is what a diff shows."""

    def matches(self, effect: effects.Effect) -> bool:
        """Whether this effect is meant."""


@dataclasses.dataclass(frozen=True, slots=True)
class Anything:
    """Stands for any one effect that has to be stated."""

    def matches(self, effect: effects.Effect) -> bool:
        """Always."""
        return True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SentMatcher(Generic[Value]):
    """Stands for an intent that is sent; made by `sent`."""

    kind: type[Value]
    where: Callable[[Value], bool] | None = None

    def matches(self, effect: effects.Effect) -> bool:
        """Whether an intent of the kind is sent, for which the condition holds."""
        return isinstance(effect, effects.Send) and _fits(effect.intent, self.kind, self.where)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownMatcher(Generic[Value]):
    """Stands for a screen event that is shown; made by `shown`."""

    kind: type[Value]
    where: Callable[[Value], bool] | None = None

    def matches(self, effect: effects.Effect) -> bool:
        """Whether an event of the kind is shown, for which the condition holds."""
        return isinstance(effect, effects.Show) and _fits(effect.event, self.kind, self.where)


def sent(kind: type[Value], where: Callable[[Value], bool] | None = None) -> SentMatcher[Value]:
    """An intent of a kind is sent, whatever else is in it, or such that `where` holds for it."""
    return SentMatcher(kind=kind, where=where)


def shown(kind: type[Value], where: Callable[[Value], bool] | None = None) -> ShownMatcher[Value]:
    """A screen event of a kind is shown, whatever else is in it, or such that `where` holds for it."""
    return ShownMatcher(kind=kind, where=where)


Expected: TypeAlias = effects.Effect | Matcher


class Playbook:
    """Feeds a machine and compares what comes of it.

    Args:
        machine: What is tested.
        start_s: The time at first; like a machine's monotonic clock it need not start at 0.
        showing: Whether `Show` effects have to be stated. Without it they are passed over, except where one is stated.
        timing: The same for `SetTimer` and `CancelTimer`. Timers run either way.
    """

    def __init__(self, machine: Machine, *, start_s: float = 0.0, showing: bool = True, timing: bool = True) -> None:
        self._machine = machine
        self._clock = ManualClock(start_s=start_s)
        self._showing = showing
        self._timing = timing
        self._timers: dict[str, float] = {}
        self._step = "at the beginning"
        self._expected: list[Expected] = []
        self._actual: list[effects.Effect] = []
        self._n_matched = 0

    @property
    def now(self) -> float:
        """Seconds, as moved so far."""
        return self._clock.now()

    @property
    def timers(self) -> dict[str, float]:
        """The timers that are set, by name, and when they are due."""
        return dict(self._timers)

    @property
    def came(self) -> tuple[effects.Effect, ...]:
        """Everything that the last event, or the last movement of time, brought about."""
        return tuple(self._actual)

    def __rshift__(self, event: events.Event) -> Self:
        """This happens.

        Raises:
            AssertionError: The step before brought about more than was stated.
        """
        self._finish_step()
        self._begin_step(f"after {event!r} at {self.now:g} s")
        self._feed(event)
        return self

    def __lshift__(self, expected: Expected) -> Self:
        """This comes of it next.

        Raises:
            AssertionError: Something else does, or nothing.
        """
        self._expected.append(expected)
        while self._n_matched < len(self._actual):
            actual = self._actual[self._n_matched]
            self._n_matched += 1
            if self._is_meant(expected, actual):
                return self
            if self._must_be_stated(actual):
                break
        raise AssertionError(self._difference("this was expected and did not come next"))

    def advance(self, seconds: float) -> Self:
        """Time passes, and the timers that fall due fire, each at its own time.

        Raises:
            AssertionError: The step before brought about more than was stated.
        """
        self._finish_step()
        until = self.now + seconds
        self._begin_step(f"after {seconds:g} s, at {until:g} s")
        while due := [(deadline, name) for name, deadline in self._timers.items() if deadline <= until]:
            deadline, name = min(due)
            del self._timers[name]
            self._clock.advance(max(0.0, deadline - self.now))
            self._feed(events.TimerFired(name=name))
        self._clock.advance(max(0.0, until - self.now))
        return self

    def skip(self) -> Self:
        """Whatever else came of the last step is of no interest."""
        self._n_matched = len(self._actual)
        return self

    def done(self) -> None:
        """Nothing more is expected.

        Raises:
            AssertionError: The last step brought about more than was stated.
        """
        self._finish_step()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.done()

    def _begin_step(self, step: str) -> None:
        self._step = step
        self._expected = []
        self._actual = []
        self._n_matched = 0

    def _finish_step(self) -> None:
        if any(map(self._must_be_stated, self._actual[self._n_matched :])):
            raise AssertionError(self._difference("more came of it than was stated"))

    def _feed(self, event: events.Event) -> None:
        for effect in self._machine.handle(event, self.now):
            self._actual.append(effect)
            match effect:
                case effects.SetTimer(name=name, deadline=deadline):
                    self._timers[name] = deadline
                case effects.CancelTimer(name=name):
                    self._timers.pop(name, None)
                case _:
                    pass

    def _must_be_stated(self, effect: effects.Effect) -> bool:
        match effect:
            case effects.Show():
                return self._showing
            case effects.SetTimer() | effects.CancelTimer():
                return self._timing
            case _:
                return True

    def _difference(self, problem: str) -> str:
        # What was passed over is shown only where it was stated.
        actual = [
            effect
            for effect in self._actual
            if self._must_be_stated(effect) or any(self._is_meant(expected, effect) for expected in self._expected)
        ]
        lines = difflib.ndiff(self._as_text(actual), [repr(effect) for effect in actual])
        return "\n".join([f"{self._step}: {problem} (- stated, + came)", *(line.rstrip("\n") for line in lines)])

    def _as_text(self, actual: list[effects.Effect]) -> list[str]:
        """The stated effects, where a placeholder reads like the effect that it stands for."""
        rest = iter(actual)
        lines: list[str] = []
        for statement in self._expected:
            found = next((effect for effect in rest if self._is_meant(statement, effect)), None)
            lines.append(repr(statement) if found is None else repr(found))
        return lines

    def _is_meant(self, expected: Expected, actual: effects.Effect) -> bool:
        if isinstance(expected, effects.Effect):
            return expected == actual
        if isinstance(expected, Anything):
            return self._must_be_stated(actual)
        return expected.matches(actual)


def _fits(value: object, kind: type[Value], where: Callable[[Value], bool] | None) -> bool:
    return isinstance(value, kind) and (where is None or where(value))
