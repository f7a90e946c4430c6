"""What is said in a conversation without a person: a list of steps and when each one's moment has come."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

from backchannel.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.core import Activity

__all__ = ["ANSWER_DEADLINE_S", "QUIET_S", "WORKING_QUIET_S", "Moment", "Script", "Step", "When", "parse_step"]

QUIET_S: Final = 0.7
"""How long it must have been quiet before the next step."""
WORKING_QUIET_S: Final = 0.5
"""The same while a task runs: less than the voice itself waits before it tells news, so that there is a chance."""
ANSWER_DEADLINE_S: Final = 8.0
"""How long an answer is waited for while nothing goes on."""


class When(enum.Enum):
    """When a step's moment comes."""

    ANSWERED = "answered"
    """The previous answer was heard, nothing goes on, and it has been quiet."""
    WORKING = "working"
    """A task runs, nobody speaks, and it has been quiet."""
    DELAYED = "delayed"
    """So many seconds after the previous step."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to be said."""

    text: str = ""
    """What is said; empty when it comes from a file."""
    sound: Path | None = None
    """A WAV file that is said instead."""
    when: When = When.ANSWERED
    delay_s: float = 0.0

    @property
    def name(self) -> str:
        """How a message calls it."""
        return self.text if self.sound is None else self.sound.name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What goes on at one time."""

    now: float
    activity: Activity
    saying: bool
    """The previous step is still being said."""
    answers: int
    """How many answers there have been since the beginning."""


def parse_step(text: str) -> Step:
    """A step as it is written on the command line.

    `TEXT` waits for the previous answer, `@working:TEXT` for a running task, `@+2.5:TEXT` for 2.5 seconds to pass.

    Raises:
        UsageError: It begins with `@` and is none of these, or there is nothing to say.
    """
    if not text.startswith("@"):
        return _with_words(Step(text=text), text)
    mark, colon, words = text[1:].partition(":")
    if colon and mark == "working":
        return _with_words(Step(text=words, when=When.WORKING), text)
    if colon and mark.startswith("+"):
        try:
            delay_s = float(mark[1:])
        except ValueError:
            delay_s = -1.0
        if 0 <= delay_s < 3600:
            return _with_words(Step(text=words, when=When.DELAYED, delay_s=delay_s), text)
    raise UsageError(f"expected TEXT, @working:TEXT or @+SECONDS:TEXT to say, got {text!r}")


def _with_words(step: Step, text: str) -> Step:
    if not step.text.strip():
        raise UsageError(f"there is nothing to say in {text!r}; write the words to be spoken")
    return step


class Script:
    """Knows which step is due.

    Ask it often (20 times a second); it measures quiet by what it is shown.
    """

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = steps
        self._next = 0
        self._answers_before = 0
        self._ended_at: float | None = None
        """When the previous step had been said; None while it is being said."""
        self._quiet_since: float | None = None
        self._rest_since: float | None = None

    def due(self, moment: Moment) -> Step | None:
        """The step whose moment is now, if any; it counts as begun."""
        self._observe(moment)
        if self._next >= len(self._steps) or moment.saying:
            return None
        step = self._steps[self._next]
        if not self._is_due(step, moment):
            return None
        self._begin(moment)
        return step

    def skipped(self, moment: Moment) -> Step | None:
        """A step that waits for a running task when there is none and none will come; it counts as done."""
        self._observe(moment)
        if self._next >= len(self._steps) or self._steps[self._next].when is not When.WORKING:
            return None
        if not self._rested(moment, ANSWER_DEADLINE_S):
            return None
        self._next += 1
        return self._steps[self._next - 1]

    def done(self, moment: Moment) -> bool:
        """Whether everything is said and answered and nothing goes on."""
        self._observe(moment)
        return self._next >= len(self._steps) and not moment.saying and self._answered(moment)

    def _observe(self, moment: Moment) -> None:
        if moment.saying:
            self._ended_at = None
        elif self._ended_at is None:
            self._ended_at = moment.now
        voices = moment.saying or moment.activity.speaking or moment.activity.answering
        self._quiet_since = None if voices else moment.now if self._quiet_since is None else self._quiet_since
        resting = moment.activity.at_rest and not moment.saying
        self._rest_since = None if not resting else moment.now if self._rest_since is None else self._rest_since

    def _begin(self, moment: Moment) -> None:
        self._next += 1
        self._answers_before = moment.answers
        self._ended_at = self._quiet_since = self._rest_since = None

    def _is_due(self, step: Step, moment: Moment) -> bool:
        match step.when:
            case When.DELAYED:
                return self._ended_at is not None and moment.now >= self._ended_at + step.delay_s
            case When.WORKING:
                # The previous step is answered first, or it would be spoken over.
                answered = self._next == 0 or moment.answers > self._answers_before
                return moment.activity.working and answered and _lasted(self._quiet_since, moment.now, WORKING_QUIET_S)
            case When.ANSWERED:
                return self._rested(moment, QUIET_S) if self._next == 0 else self._answered(moment)

    def _answered(self, moment: Moment) -> bool:
        if moment.answers > self._answers_before:
            return self._rested(moment, QUIET_S)
        return self._rested(moment, ANSWER_DEADLINE_S)

    def _rested(self, moment: Moment, for_s: float) -> bool:
        return _lasted(self._rest_since, moment.now, for_s)


def _lasted(since: float | None, now: float, for_s: float) -> bool:
    return since is not None and now - since >= for_s
