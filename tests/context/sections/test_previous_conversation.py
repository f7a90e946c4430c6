from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.sections import previous_conversation_section
from backchannel.core import Outcome
from backchannel.threads import AgentSaid, PastConversation, Spoken, TurnEnded, UserAsked


def _spoken(speaker: str, text: str) -> Spoken:
    return Spoken(at_ms=1, speaker="user" if speaker == "user" else "assistant", text=text)


def _past(
    *said: Spoken, since: tuple[UserAsked | AgentSaid | TurnEnded, ...] = (), ended_at_ms: int = 3000
) -> PastConversation:
    return PastConversation(began_at_ms=1, ended_at_ms=ended_at_ms, said=said, since=since)


def _text(past: PastConversation | None, *, max_tokens: int = 600) -> str:
    made = previous_conversation_section(past, max_tokens=max_tokens, origin="thread a")
    return "" if made is None else made.text


def test_the_end_of_the_talk_and_what_was_done_since_are_told() -> None:
    since = (
        UserAsked(at_ms=4, text="<realtime_delegation>\n<input>hidden</input>"),
        UserAsked(at_ms=4, text="run the\ntests"),
        AgentSaid(at_ms=5, text="Two failed.\n\nDetails."),
        TurnEnded(at_ms=6, turn_id="t", outcome=Outcome.COMPLETED),
        TurnEnded(at_ms=7, turn_id="u", outcome=Outcome.FAILED, error="no"),
        TurnEnded(at_ms=8, turn_id="v", outcome=Outcome.INTERRUPTED),
    )
    past = _past(_spoken("user", "fix the login"), _spoken("assistant", "On it."), since=since)
    assert _text(past) == (
        "## Previous Conversation\n"
        "You have talked about this before, until 1970-01-01T00:00:03.000+00:00. Go on from there: greet briefly, and"
        " do not tell it again unless you are asked. How it ended:\n"
        "User: fix the login\n"
        "You: On it.\n"
        "\n"
        "Since then:\n"
        "- Asked: run the tests\n"
        "- Result: Two failed. Details.\n"
        "- The work failed.\n"
        "- The work was stopped."
    )


def test_when_nothing_happened_since_that_is_said() -> None:
    assert _text(_past(_spoken("user", "hello"))).endswith("User: hello\n\nNothing was asked or done since then.")


def test_without_a_past_there_is_no_section() -> None:
    assert _text(None) == ""


def test_the_newest_words_are_kept() -> None:
    said = [_spoken("user", f"sentence {number} " + "word " * 30) for number in range(100)]
    text = _text(_past(*said))
    assert "sentence 99 " in text
    assert "sentence 0 " not in text
    numbers = [int(line.split()[2]) for line in text.splitlines() if line.startswith("User: ")]
    assert numbers == list(range(numbers[0], 100))


def test_a_long_utterance_keeps_both_ends() -> None:
    text = _text(_past(_spoken("assistant", "begin " + "word " * 500 + "end")))
    assert "You: begin word" in text
    assert "tokens truncated…" in text
    assert "word end" in text


def test_much_work_since_leaves_room_for_the_talk() -> None:
    since = tuple(AgentSaid(at_ms=number, text=f"result {number} " + "word " * 90) for number in range(50))
    text = _text(_past(*(_spoken("user", f"sentence {number}") for number in range(30)), since=since))
    assert "result 49" in text
    assert "sentence 29" in text


@given(
    st.lists(st.builds(_spoken, st.sampled_from(["user", "assistant"]), st.text(max_size=400)), max_size=30),
    st.lists(st.builds(AgentSaid, at_ms=st.just(1), text=st.text(max_size=900)), max_size=10),
    st.integers(0, 600),
)
def test_it_is_never_over_its_budget(said: list[Spoken], since: list[AgentSaid], max_tokens: int) -> None:
    past = _past(*said, since=tuple(since))
    made = previous_conversation_section(past, max_tokens=max_tokens, origin="x")
    assert made == previous_conversation_section(past, max_tokens=max_tokens, origin="x")
    assert made is None or made.tokens <= max_tokens
