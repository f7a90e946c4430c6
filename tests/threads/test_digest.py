from __future__ import annotations

from backchannel.core import Outcome, screen
from backchannel.threads import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    Entry,
    OpenTask,
    PastConversation,
    RanTests,
    Spoken,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
    last_tests,
    open_tasks,
    past_conversation,
)


def _ask(approval_id: str, action: str, turn_id: str = "t") -> ApprovalAsked:
    return ApprovalAsked(at_ms=3, turn_id=turn_id, approval_id=approval_id, action=action)


def _settle(approval_id: str) -> ApprovalSettled:
    return ApprovalSettled(at_ms=4, approval_id=approval_id, decision=screen.ApprovalDecision.APPROVED)


def test_a_task_is_open_until_its_turn_ends() -> None:
    entries: list[Entry] = [
        TurnBegan(at_ms=1, turn_id="t", request="fix"),
        TurnBegan(at_ms=2, turn_id="u", request="x"),
    ]
    assert [task.turn_id for task in open_tasks(entries)] == ["t", "u"]
    ended = TurnEnded(at_ms=3, turn_id="t", outcome=Outcome.COMPLETED)
    assert open_tasks([*entries, ended]) == (OpenTask(turn_id="u", request="x", began_at_ms=2),)


def test_a_task_waits_until_its_requests_are_settled() -> None:
    entries: list[Entry] = [TurnBegan(at_ms=1, turn_id="t", request="fix"), _ask("a", "push"), _ask("b", "delete")]
    (task,) = open_tasks(entries)
    assert task.waits_for == "delete"
    (task,) = open_tasks([*entries, _settle("a"), _settle("unknown")])
    assert task.waits_for == "delete"
    (task,) = open_tasks([*entries, _settle("a"), _settle("b")])
    assert task.waits_for is None


def test_a_request_of_no_open_turn_waits_for_nobody() -> None:
    assert open_tasks([_ask("a", "push"), TurnBegan(at_ms=1, turn_id="t", request="fix")]) == (
        OpenTask(turn_id="t", request="fix", began_at_ms=1),
    )


def test_only_the_last_run_of_tests_counts() -> None:
    failed = RanTests(at_ms=1, command="pytest", passed=False, failures=("a",))
    passed = RanTests(at_ms=2, command="pytest", passed=True)
    assert last_tests([]) is None
    assert last_tests([passed, failed]) == failed
    assert last_tests([failed, passed, VoiceBegan(at_ms=3)]) == passed


def test_the_last_conversation_with_words_is_the_past_one() -> None:
    said = Spoken(at_ms=2, speaker="user", text="hello")
    asked = UserAsked(at_ms=5, text="go on")
    ended = TurnEnded(at_ms=7, turn_id="t", outcome=Outcome.COMPLETED)
    entries: list[Entry] = [
        VoiceBegan(at_ms=0),
        Spoken(at_ms=0, speaker="user", text="older"),
        VoiceEnded(at_ms=0),
        VoiceBegan(at_ms=1),
        said,
        UserAsked(at_ms=3, text="during", by_voice=True),
        UserAsked(at_ms=3, text="typed"),
        VoiceEnded(at_ms=4),
        asked,
        AgentSaid(at_ms=6, text="half way", is_final=False),
        AgentSaid(at_ms=6, text="done"),
        ended,
        VoiceBegan(at_ms=8),
        VoiceEnded(at_ms=9),
    ]
    assert past_conversation(entries) == PastConversation(
        began_at_ms=1,
        ended_at_ms=4,
        said=(said, Spoken(at_ms=3, speaker="user", text="typed")),
        since=(asked, AgentSaid(at_ms=6, text="done"), ended),
    )


def test_a_conversation_whose_end_was_not_written_ends_with_its_last_words() -> None:
    said = Spoken(at_ms=2, speaker="user", text="hello")
    past = past_conversation([VoiceBegan(at_ms=1), said, AgentSaid(at_ms=3, text="during")])
    assert past == PastConversation(began_at_ms=1, ended_at_ms=2, said=(said,), since=())


def test_without_words_there_was_no_conversation() -> None:
    assert past_conversation([]) is None
    assert past_conversation([VoiceBegan(at_ms=1)]) is None
    assert past_conversation([Spoken(at_ms=1, speaker="user", text="lost")]) is None
    assert past_conversation([VoiceBegan(at_ms=1), VoiceEnded(at_ms=2)]) is None
    typed: list[Entry] = [VoiceBegan(at_ms=1), UserAsked(at_ms=2, text="hello")]
    assert past_conversation(typed) is not None
