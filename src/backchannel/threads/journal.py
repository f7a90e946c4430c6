"""What is shown of a conversation, written into its thread.

A journal is told every screen event and gives it to the store as an entry; what only matters at the moment (levels,
pieces of words, noises of the connection) is not kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from backchannel.core import (
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    Phase,
    screen,
)
from backchannel.threads.entries import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    RanTests,
    Spoken,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.threads.entries import Entry

__all__ = ["Journal", "failure_in", "runs_tests"]

_MAX_FAILURES: Final = 20
_MAX_NAME: Final = 200
_MAX_LINE: Final = 2000
_TESTS: Final = re.compile(
    r"(?:^|[\s/;&|(])(?:pytest|py\.test|unittest|tox|nox|jest|vitest|mocha|rspec|phpunit|ctest|ava"
    r"|(?:cargo|go|npm|pnpm|yarn|bun|make|mvn|gradle|gradlew|dotnet|mix|swift|bazel|deno)\s+(?:run\s+)?(?:\S+\s+)?tests?)"
    r"(?=$|[\s:;&|)])"
)
_FAILURE: Final = re.compile(
    r"(?:FAILED|ERROR) (?P<pytest>\S+::.*?)(?: - .*|\s+\[\s*\d+[/%].*)?"
    r"|(?P<verbose>\S+::.*?) (?:FAILED|ERROR)(?:\s+\[.*)?"
    r"|(?:FAIL|ERROR): (?P<unittest>\w+ \(\S+\))"
    r"|\s*--- FAIL: (?P<go>\S+)(?: .*)?"
    r"|test (?P<cargo>\S+) \.\.\. FAILED"
    r"|not ok \d+ (?:- )?(?P<tap>.+)"
    r"|\s*[✕✗✖\u00d7] (?P<jest>.+?)(?: \(\d+ m?s\))?"
)


def runs_tests(command: str) -> bool:
    """Whether a command, as a person would type it, runs tests."""
    return _TESTS.search(command) is not None


def failure_in(line: str) -> str | None:
    """The name of the test that failed, where a line of a test runner's output says so."""
    match = _FAILURE.fullmatch(line[:_MAX_LINE].rstrip())
    if match is None:
        return None
    return next(found for found in match.groups() if found is not None).strip()[:_MAX_NAME]


class Journal:
    """Writes one conversation down.

    Args:
        write: Keeps an entry.
        now_ms: The time, in milliseconds since the epoch.
        prefix: Goes before the ids of turns and of requests for permission, which are unique in one conversation only,
            where others are in the same thread.
    """

    def __init__(self, write: Callable[[Entry], None], *, now_ms: Callable[[], int], prefix: str = "") -> None:
        self._write = write
        self._now_ms = now_ms
        self._prefix = prefix
        self._runs: dict[str, _TestRun] = {}
        """The commands that run tests, by their id."""

    def note(self, event: screen.ScreenEvent) -> None:
        """Keep what is worth it of an event."""
        at_ms = self._now_ms()
        match event:
            case screen.ConversationStarted():
                self._write(VoiceBegan(at_ms=at_ms))
            case screen.ConversationClosed():
                self._write(VoiceEnded(at_ms=at_ms))
            case screen.TranscriptDone(speaker=speaker, text=text) if text.strip():
                self._write(Spoken(at_ms=at_ms, speaker=speaker, text=text))
            case screen.TaskStarted(turn_id=turn_id, request=request, by_voice=by_voice):
                self._write(UserAsked(at_ms=at_ms, text=request, by_voice=by_voice))
                self._write(TurnBegan(at_ms=at_ms, turn_id=self._prefix + turn_id, request=request))
            case screen.TaskSteered(request=request, by_voice=by_voice):
                self._write(UserAsked(at_ms=at_ms, text=request, by_voice=by_voice))
            case screen.TaskEnded(turn_id=turn_id, outcome=outcome, error=error):
                self._runs.clear()
                self._write(TurnEnded(at_ms=at_ms, turn_id=self._prefix + turn_id, outcome=outcome, error=error))
            case screen.ApprovalNeeded(turn_id=turn_id, approval_id=approval_id, action=action):
                self._write(
                    ApprovalAsked(
                        at_ms=at_ms,
                        turn_id=self._prefix + turn_id,
                        approval_id=self._prefix + approval_id,
                        action=action,
                    )
                )
            case screen.ApprovalSettled(approval_id=approval_id, decision=decision):
                self._write(ApprovalSettled(at_ms=at_ms, approval_id=self._prefix + approval_id, decision=decision))
            case AgentMessage(text=text, phase=phase):
                self._write(AgentSaid(at_ms=at_ms, text=text, is_final=phase is Phase.FINAL))
            case AgentCommandStarted(command_id=command_id, command=command) if runs_tests(command):
                self._runs[command_id] = _TestRun(command)
            case AgentCommandOutput(command_id=command_id, text=text) if command_id in self._runs:
                self._runs[command_id].printed(text)
            case AgentCommandEnded(command_id=command_id, exit_status=status) if command_id in self._runs:
                run = self._runs.pop(command_id)
                if status is not None:
                    self._write(run.ended(at_ms, passed=status == 0))
            case _:
                pass


class _TestRun:
    """A command that runs tests, and the failures that it has named."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._line = ""
        self._failures: dict[str, None] = {}

    def printed(self, text: str) -> None:
        *lines, rest = (self._line + text).split("\n")
        for line in lines:
            self._look(line)
        self._line = rest[:_MAX_LINE]

    def ended(self, at_ms: int, *, passed: bool) -> RanTests:
        self._look(self._line)
        return RanTests(
            at_ms=at_ms, command=self._command, passed=passed, failures=() if passed else tuple(self._failures)
        )

    def _look(self, line: str) -> None:
        if len(self._failures) < _MAX_FAILURES and (name := failure_in(line)) is not None:
            self._failures[name] = None
