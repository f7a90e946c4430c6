"""How a request is worked on: a job yields steps, the turn performs them, and the job returns its answer.

    def job() -> Job:
        log = Run(argv=("git", "log"), limit_s=30.0)
        yield log
        return Answer(spoken=f"there are {log.finished.text.count(...)} commits")

A job is an ordinary generator that neither waits nor touches the disk itself: a step's result stands on the step once
the job runs on. So jobs need no event loop, and the turn may drop one between two steps without a trace.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Generator
from typing import Generic, Protocol, TypeAlias, TypeVar

__all__ = ["Answer", "Call", "Cancelled", "Finished", "Job", "Run", "Say", "Step", "Watch"]

_T_co = TypeVar("_T_co", covariant=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is told at the end of a job."""

    spoken: str
    """One sentence or two, fit to be said."""
    details: str = ""
    """For the screen."""

    @property
    def text(self) -> str:
        """The message: what is spoken, then the details after a blank line."""
        details = self.details.strip("\n")
        return f"{self.spoken}\n\n{details}" if details else self.spoken


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a command ended and what it printed."""

    exit_status: int | None
    """None when it ran into its time limit."""
    text: str
    """Standard output and error, without control sequences; of much, the head and the tail."""
    elapsed_s: float
    missing: str | None = None
    """Why the command could not be started, where it could not."""


class Watch(Protocol):
    """Follows what a command prints while it prints it."""

    def feed(self, text: str) -> None:
        """Take the next piece of output."""

    def news(self) -> str | None:
        """Something that is worth saying at once, told one time; or None."""

    def progress(self) -> str | None:
        """How far the command is, as a sentence; None when nothing is known yet."""


class Run:
    """Run a command; `finished` holds its end once the job goes on."""

    def __init__(
        self,
        *,
        argv: tuple[str, ...],
        limit_s: float,
        shown: str | None = None,
        watch: Watch | None = None,
        thorough: bool = False,
        env: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.argv = argv
        self.limit_s = limit_s
        self.shown = shlex.join(argv) if shown is None else shown
        """As a person would type it."""
        self.watch = watch
        self.thorough = thorough
        """Whether the command may start processes that leave its process group."""
        self.env = env
        """Added to the agent's environment."""
        self._finished: Finished | None = None

    @property
    def finished(self) -> Finished:
        """How it ended."""
        if self._finished is None:
            raise AssertionError("the turn sets this before it resumes the job")
        return self._finished

    @finished.setter
    def finished(self, value: Finished) -> None:
        self._finished = value


class Cancelled(Protocol):
    """Tells work in a thread that nobody wants its result any more."""

    def is_set(self) -> bool:
        """Whether to give up."""


class Call(Generic[_T_co]):
    """Run a function in a thread (it may read the disk); `value` holds its result once the job goes on."""

    def __init__(self, function: Callable[[Cancelled], _T_co]) -> None:
        self._function = function
        self._value: tuple[_T_co] | None = None

    def perform(self, cancelled: Cancelled) -> None:
        """Call the function and keep its result; runs in a thread."""
        self._value = (self._function(cancelled),)

    @property
    def value(self) -> _T_co:
        """What the function returned."""
        if self._value is None:
            raise AssertionError("the turn performs this before it resumes the job")
        return self._value[0]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Tell something while the work goes on."""

    text: str


Step: TypeAlias = Run | Call[object] | Say
"""What a job can ask for."""

Job: TypeAlias = Generator[Run | Call[object] | Say, None, Answer]
"""The work on one request."""
