"""Running the tests and explaining what failed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from backchannel.agents.workspace.outcomes import Counts, Failure, TestWatch
from backchannel.agents.workspace.phrasing import counted, listed, number, sentence, shortened, spans
from backchannel.agents.workspace.requests import RunTests
from backchannel.agents.workspace.runners import ENVIRONMENT, Plan, RunnerKind, Unplanned, plan, recorded_failures
from backchannel.agents.workspace.steps import Answer, Call, Job, Run, Say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from backchannel.agents.workspace.steps import Finished
    from backchannel.agents.workspace.tree import Tree

__all__ = ["Tests"]

_EXPLAINED_AT_ONCE = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What is known of the last test run."""

    counts: Counts | None
    failures: tuple[Failure, ...]
    complete: bool
    spoken: str


class Tests:
    """Makes the jobs about tests, and remembers the last run of this session."""

    def __init__(self, tree: Tree, *, limit_s: float, env: Mapping[str, str], cache: Callable[[], Path]) -> None:
        self._tree = tree
        self._limit_s = limit_s
        self._env = env
        self._cache = cache
        self._last: _Record | None = None

    @property
    def last_result(self) -> str | None:
        """How the last run ended, as a sentence."""
        return None if self._last is None else self._last.spoken

    def refusal(self, request: RunTests) -> str | None:
        """Why tests cannot be run so, as a sentence; None when they can. Blocks."""
        decided = self._plan(request)
        return decided.reason if isinstance(decided, Unplanned) else None

    def _plan(self, request: RunTests, names: tuple[str, ...] | None = None) -> Plan | Unplanned:
        if names is None:
            names = () if self._last is None else tuple(failure.name for failure in self._last.failures)
            if request.only_failed and not names:
                names = recorded_failures(self._tree)
        return plan(request, tree=self._tree, env=self._env, cache=self._cache(), failed=names)

    # ---- running ----

    def run(self, request: RunTests) -> Job:
        """Run the tests and tell how they ended."""
        return (yield from self._planned(request, None))

    def _planned(self, request: RunTests, names: tuple[str, ...] | None) -> Job:
        decided = Call(lambda _cancelled: self._plan(request, names))
        yield decided
        if isinstance(decided.value, Unplanned):
            return Answer(spoken=decided.value.reason)
        return (yield from self._run(decided.value))

    def _run(self, decided: Plan) -> Job:
        watch = TestWatch(decided.kind)
        run = Run(
            argv=decided.argv,
            limit_s=self._limit_s,
            shown=decided.shown,
            watch=watch,
            thorough=True,
            env=ENVIRONMENT,
        )
        answer: Answer | None = None
        failures: tuple[Failure, ...] | None = None
        try:
            yield run
            failures = watch.failures()
            answer = _result(decided, run.finished, watch, failures)
        finally:
            # A run that is stopped or replaced is remembered too, as far as it came.
            counts = watch.counts
            if answer is not None or counts is not None:
                self._last = _Record(
                    counts=counts,
                    failures=watch.failures() if failures is None else failures,
                    complete=answer is not None,
                    spoken=answer.spoken if answer is not None else _stopped(watch, counts),
                )
        return answer

    # ---- explaining ----

    def explain(self) -> Job:
        """Say why the last test failed: from this session's last run, else from what pytest recorded here."""
        last = self._last
        if last is not None:
            if last.failures:
                return _explained(last.failures)
            if last.counts is not None and last.counts.failed:
                return Answer(spoken=sentence(f"{last.spoken} I found no more about it in the output"))
            if last.counts is not None and last.complete:
                return Answer(spoken=sentence(f"nothing failed in the last run: {last.spoken}"))
            return Answer(spoken=sentence(last.spoken))
        recorded = Call(lambda _cancelled: recorded_failures(self._tree))
        yield recorded
        names = recorded.value[:_EXPLAINED_AT_ONCE]
        if not names:
            return Answer(spoken="I know of no failed test. Ask me to run the tests first.")
        n_tests = counted(len(names), "test is", "tests are")
        again = "it" if len(names) == 1 else "them"
        yield Say(text=f"{sentence(f'{n_tests} on record as failed')} I run {again} again to see why.")
        answer = yield from self._planned(RunTests(only_failed=True), names)
        failures = () if self._last is None else self._last.failures
        return _explained(failures) if failures else answer


def _stopped(watch: TestWatch, counts: Counts | None) -> str:
    if counts is None:
        return "The last test run was stopped before a test ended."
    of = f" of {watch.total}" if watch.total is not None and watch.total >= counts.done else ""
    return sentence(f"the last test run was stopped after {counts.done}{of} tests; {_told(counts)}")


def _told(counts: Counts) -> str:
    told = f"{number(counts.passed) if counts.passed else 'none'} passed"
    if counts.failed:
        told += f", {number(counts.failed)} failed"
    if counts.skipped:
        told += f", {number(counts.skipped)} skipped"
    return told


def _result(decided: Plan, finished: Finished, watch: TestWatch, failures: tuple[Failure, ...]) -> Answer:
    """How a run ended, in words."""
    if finished.missing is not None:
        return Answer(spoken=sentence(f"I could not start {decided.kind.value}"), details=finished.missing)
    counts = watch.counts
    details = _details(failures, finished)
    if finished.exit_status is None:
        far = watch.progress()
        told = f"I stopped {decided.scope} after {spans(finished.elapsed_s)}, the time limit"
        return Answer(spoken=f"{sentence(told)} {far}" if far else sentence(told), details=details)
    if finished.exit_status < 0:
        return Answer(spoken=sentence(f"the test runner was ended by signal {-finished.exit_status}"), details=details)
    if (trouble := _trouble(decided, finished, counts)) is not None:
        return Answer(spoken=sentence(trouble), details=details)
    if counts is None or counts.done == 0:
        told = (
            f"{decided.scope} passed"
            if finished.exit_status == 0
            else f"{decided.scope} failed, status {finished.exit_status}"
        )
        return Answer(spoken=sentence(told), details=details)
    told = _told(counts)
    if failures:
        told += f": {listed([failure.said for failure in failures])}"
    elif counts.failed == 0 and finished.exit_status == 0 and not counts.skipped:
        told = "the test passed" if counts.passed == 1 else f"all {number(counts.passed)} tests passed"
    elif counts.failed == 0 and finished.exit_status != 0:
        told += f", but the runner ended with status {finished.exit_status}"
    if decided.scope != "the tests":
        told = f"{decided.scope}: {told}"
    return Answer(
        spoken=sentence(f"{told}; it took {spans(finished.elapsed_s)}" if not failures else told), details=details
    )


def _trouble(decided: Plan, finished: Finished, counts: Counts | None) -> str | None:
    """A runner that did not get to its tests, or found none."""
    if decided.kind is RunnerKind.PYTEST:
        if finished.exit_status == 5 or (finished.exit_status == 0 and counts is not None and counts.done == 0):
            return f"pytest found no tests to run for {decided.scope}"
        if finished.exit_status in (3, 4):
            why = next((line for line in finished.text.splitlines() if "error" in line.lower()), "")
            return f"pytest could not start{': ' + shortened(why, 120) if why else ''}"
    if decided.kind is RunnerKind.UNITTEST and (finished.exit_status == 5 or (counts is not None and counts.done == 0)):
        return "pytest is not installed where I looked, and unittest found no tests"
    return None


def _details(failures: tuple[Failure, ...], finished: Finished) -> str:
    if not failures:
        return "\n".join(finished.text[-8000:].rstrip().splitlines()[-30:])
    blocks = [_block(failure) for failure in failures[:10]]
    if len(failures) > 10:
        blocks.append(f"... and {len(failures) - 10} more")
    return "\n\n".join(blocks)


def _block(failure: Failure) -> str:
    return "\n".join(filter(None, (failure.name, failure.place, failure.message, failure.excerpt)))


def _explained(failures: tuple[Failure, ...]) -> Answer:
    first = failures[0]
    path, _, line = first.place.rpartition(":")
    place = f", in {path.rpartition('/')[2]} line {line}" if path else ""
    why = f": {shortened(first.message, 110)}" if first.message else ""
    told = f"{first.said.partition(' in ')[0]} failed{place}{why}"
    if len(failures) > 1:
        told = f"{told}; {counted(len(failures) - 1, 'more test')} failed too"
    return Answer(spoken=sentence(told), details="\n\n".join(_block(failure) for failure in failures[:10]))
