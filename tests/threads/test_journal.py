from __future__ import annotations

import pytest

from backchannel.core import (
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    Outcome,
    Phase,
    screen,
)
from backchannel.threads import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    Entry,
    Journal,
    RanTests,
    Spoken,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
)
from backchannel.threads.journal import failure_in, runs_tests


def _kept(*events: screen.ScreenEvent) -> list[Entry]:
    kept: list[Entry] = []
    journal = Journal(kept.append, now_ms=lambda: 5)
    for event in events:
        journal.note(event)
    return kept


def _run(command: str, *printed: str, exit_status: int | None) -> list[screen.ScreenEvent]:
    return [
        AgentCommandStarted(turn_id="t", command_id="c", command=command),
        *(AgentCommandOutput(turn_id="t", command_id="c", text=text) for text in printed),
        AgentCommandEnded(turn_id="t", command_id="c", exit_status=exit_status, elapsed_s=1.0),
    ]


def test_what_is_said_and_done_is_kept_in_order() -> None:
    assert _kept(
        screen.ConversationStarted(),
        screen.TranscriptDelta(speaker="user", delta="fix"),
        screen.TranscriptDone(speaker="user", text="fix it"),
        screen.TranscriptDone(speaker="assistant", text="  "),
        screen.TaskStarted(turn_id="t", request="fix it", by_voice=True),
        AgentMessage(turn_id="t", text="Looking.", phase=Phase.COMMENTARY),
        screen.TaskSteered(turn_id="t", request="only core", by_voice=False),
        screen.ApprovalNeeded(turn_id="t", approval_id="a", action="push", detail="", risks=(), on_screen_only=False),
        screen.ApprovalSettled(
            turn_id="t",
            approval_id="a",
            decision=screen.ApprovalDecision.DECLINED,
            by=screen.AnsweredBy.HAND,
        ),
        AgentMessage(turn_id="t", text="Done.", phase=Phase.FINAL),
        screen.TaskEnded(turn_id="t", outcome=Outcome.FAILED, elapsed_s=1.0, error="it broke"),
        screen.Warned(message="nothing"),
        screen.ConversationClosed(reason=screen.CloseReason.REQUESTED),
    ) == [
        VoiceBegan(at_ms=5),
        Spoken(at_ms=5, speaker="user", text="fix it"),
        UserAsked(at_ms=5, text="fix it", by_voice=True),
        TurnBegan(at_ms=5, turn_id="t", request="fix it"),
        AgentSaid(at_ms=5, text="Looking.", is_final=False),
        UserAsked(at_ms=5, text="only core", by_voice=False),
        ApprovalAsked(at_ms=5, turn_id="t", approval_id="a", action="push"),
        ApprovalSettled(at_ms=5, approval_id="a", decision=screen.ApprovalDecision.DECLINED),
        AgentSaid(at_ms=5, text="Done.", is_final=True),
        TurnEnded(at_ms=5, turn_id="t", outcome=Outcome.FAILED, error="it broke"),
        VoiceEnded(at_ms=5),
    ]


def test_ids_are_told_from_those_of_an_earlier_conversation_in_the_thread() -> None:
    kept: list[Entry] = []
    journal = Journal(kept.append, now_ms=lambda: 5, prefix="b.")
    asked = screen.ApprovalNeeded(turn_id="t", approval_id="a", action="x", detail="", risks=(), on_screen_only=False)
    approved, by = screen.ApprovalDecision.APPROVED, screen.AnsweredBy.HAND
    for event in (
        screen.TaskStarted(turn_id="t", request="fix it", by_voice=True),
        asked,
        screen.ApprovalSettled(turn_id="t", approval_id="a", decision=approved, by=by),
        screen.TaskEnded(turn_id="t", outcome=Outcome.COMPLETED, elapsed_s=1.0),
    ):
        journal.note(event)
    assert kept == [
        UserAsked(at_ms=5, text="fix it", by_voice=True),
        TurnBegan(at_ms=5, turn_id="b.t", request="fix it"),
        ApprovalAsked(at_ms=5, turn_id="b.t", approval_id="b.a", action="x"),
        ApprovalSettled(at_ms=5, approval_id="b.a", decision=approved),
        TurnEnded(at_ms=5, turn_id="b.t", outcome=Outcome.COMPLETED),
    ]


def test_a_run_of_tests_is_kept_with_its_failures() -> None:
    printed = ("tests/test_a.py::test_one FAI", "LED [ 50%]\nnoise\nFAILED tests/test_a.py::test_two - assert 0")
    assert _kept(*_run("pytest -x", *printed, exit_status=1)) == [
        RanTests(
            at_ms=5,
            command="pytest -x",
            passed=False,
            failures=("tests/test_a.py::test_one", "tests/test_a.py::test_two"),
        )
    ]


def test_a_run_that_passed_names_no_failures() -> None:
    assert _kept(*_run("pytest", "FAILED a.py::b\n", exit_status=0)) == [
        RanTests(at_ms=5, command="pytest", passed=True)
    ]


def test_a_run_that_was_stopped_says_nothing() -> None:
    assert _kept(*_run("pytest", "FAILED a.py::b\n", exit_status=None)) == []


def test_other_commands_are_not_kept() -> None:
    assert _kept(*_run("ls -l", "FAILED a.py::b\n", exit_status=1)) == []


def test_what_a_task_left_running_is_forgotten_with_it() -> None:
    begun, ended = _run("pytest", exit_status=1)
    over = screen.TaskEnded(turn_id="t", outcome=Outcome.INTERRUPTED, elapsed_s=1.0)
    assert _kept(begun, over, ended) == [TurnEnded(at_ms=5, turn_id="t", outcome=Outcome.INTERRUPTED)]


def test_so_many_failures_are_named_and_no_more() -> None:
    lines = "".join(f"FAILED a.py::test_{number}\n" for number in range(50))
    (kept,) = _kept(*_run("pytest", lines, exit_status=1))
    assert isinstance(kept, RanTests)
    assert len(kept.failures) == 20
    assert kept.failures[0] == "a.py::test_0"


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        ("pytest", True),
        (".venv/bin/pytest -q tests", True),
        ("python -m pytest core", True),
        ("python3 -m unittest discover", True),
        ("cargo test --workspace", True),
        ("cargo +nightly test", True),
        ("go test ./...", True),
        ("npm run test", True),
        ("npm test -- --watch", True),
        ("make test", True),
        ("cd app && npm test", True),
        ("dotnet test", True),
        ("git commit -m 'add pytest'", False),
        ("ls tests", False),
        ("cat test.py", False),
        ("cargo build", False),
        ("latest", False),
    ],
)
def test_commands_that_run_tests_are_known(command: str, *, is_one: bool) -> None:
    assert runs_tests(command) is is_one


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("FAILED tests/test_a.py::test_x[a b] - ValueError: no", "tests/test_a.py::test_x[a b]"),
        ("ERROR tests/test_a.py::test_x", "tests/test_a.py::test_x"),
        ("tests/test_a.py::test_x FAILED                 [ 10%]", "tests/test_a.py::test_x"),
        ("FAIL: test_x (tests.test_a.Case)", "test_x (tests.test_a.Case)"),
        ("--- FAIL: TestParse (0.00s)", "TestParse"),
        ("    --- FAIL: TestParse/empty (0.00s)", "TestParse/empty"),
        ("test parse::empty ... FAILED", "parse::empty"),
        ("not ok 3 - parses nothing", "parses nothing"),
        ("  ✕ parses nothing (5 ms)", "parses nothing"),
        ("test parse::empty ... ok", None),
        ("ok 3 - parses nothing", None),
        ("this FAILED badly", None),
        ("", None),
    ],
)
def test_the_failed_test_is_named(line: str, name: str | None) -> None:
    assert failure_in(line) == name
