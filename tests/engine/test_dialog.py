from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from backchannel.engine.dialog import MIN_CONFIDENCE, Dialog, Reply, assured, is_request, joined
from backchannel.engine.speech.base import Heard
from backchannel.wire.realtime import TOOLS
from tests.agents.test_grammar import Sampler

ALL_TOOLS = frozenset(TOOLS)
REFERENCE_TOOLS = frozenset({"background_agent", "remain_silent"})

# What the conversation core answers calls with; the reference's own words are tried beside them.
FINISHED = (
    "The background agent is done. What it said, in the messages marked [BACKEND], is the result.",
    "Background agent finished. Use the preceding [BACKEND] messages as the result.",
)
STEERED = (
    "The task that is already running was given this as a change.",
    "This was sent to steer the previous background agent task.",
    "ok",
)
STOPPED = "The task was stopped before it was finished, as asked."
STOPPED_ANSWER = "The task is stopped."
KEPT = "This is kept and will be started when the running task is done."
STILL_WORKING = "Still working on “run the tests”, for 20 seconds now. Latest: Collecting."
LEVEL_SET = "From now on the level of updates is: results."
MAY_IT_PUSH = (
    "The agent asks for permission to run git push. This is request a1. Ask the user, and pass the answer on with"
    " answer_approval."
)
MAY_IT_DELETE = (
    "The agent asks for permission to delete the cache. This is request a2. It has to be answered on the screen."
)


def said(text: str, *, confidence: float = 1.0, from_grammar: bool = True) -> Heard:
    return Heard(text=text, confidence=confidence, from_grammar=from_grammar)


def call_of(reply: Reply) -> tuple[str, dict[str, str]] | None:
    return None if reply.call is None else (reply.call.name, json.loads(reply.call.arguments))


def working(call_id: str = "call_1") -> Dialog:
    """A dialog whose agent has been asked to do something."""
    dialog = Dialog()
    assert call_of(dialog.heard(said("run the tests"), ALL_TOOLS)) is not None
    dialog.called(call_id, "background_agent")
    return dialog


@pytest.mark.parametrize(
    "words",
    [
        "run the tests",
        "what changed this week",
        "only the core tests",
        "stop at the first failure",
        "stop on the first error",
        "forget that and run the tests",
        "what is the status of the repository",
        "hello can you run the tests",
        "search for timeout",
        "help",
        "what can you do",
        "thanks that is great now run the tests",
        "cancel the subscription feature in the billing code",
        "explain how the progress bar works",
    ],
)
def test_requests_are_handed_over_in_the_users_words_after_an_acknowledgement(words: str) -> None:
    reply = Dialog().heard(said(words), ALL_TOOLS)
    assert call_of(reply) == ("background_agent", {"prompt": words})
    assert reply.say
    assert len(reply.say) < 30


@pytest.mark.parametrize(
    "words",
    [
        "how is it going",
        "how's it going",
        "how far are you",
        "status",
        "what is the status",
        "give me a status update please",
        "are you done yet",
        "are the tests done",
        "is it finished",
        "what are you doing right now",
        "any news",
        "any progress",
        "how much longer will it take",
        "okay how is it going now",
        "what's going on",
        "where do we stand",
    ],
)
def test_questions_about_progress_call_the_status_tool_if_there_is_one(words: str) -> None:
    assert call_of(Dialog().heard(said(words), ALL_TOOLS)) == ("agent_status", {})
    assert call_of(Dialog().heard(said(words), REFERENCE_TOOLS)) == ("background_agent", {"prompt": words})


@pytest.mark.parametrize(
    "words",
    [
        "stop",
        "please stop",
        "stop it",
        "stop the tests",
        "stop running the tests",
        "cancel",
        "cancel that",
        "abort",
        "never mind",
        "nevermind",
        "forget it",
        "that's enough",
        "okay stop now please",
        "stop stop",
        "can you stop that",
    ],
)
def test_a_stop_calls_the_stop_tool_if_there_is_one(words: str) -> None:
    reply = Dialog().heard(said(words), ALL_TOOLS)
    assert call_of(reply) == ("stop_agent", {})
    assert call_of(Dialog().heard(said(words), REFERENCE_TOOLS)) == ("background_agent", {"prompt": words})


@pytest.mark.parametrize(
    "words",
    [
        "hello",
        "hi there",
        "good morning",
        "hey",
        "thanks",
        "thank you very much",
        "okay thanks",
        "bye",
        "goodbye",
        "mute",
    ],
)
def test_small_talk_is_answered_without_the_agent(words: str) -> None:
    reply = Dialog().heard(said(words), ALL_TOOLS)
    assert reply.say
    assert reply.call is None


@pytest.mark.parametrize("words", ["yes", "no", "okay", "yeah right", "great", "yes please"])
def test_a_nod_is_for_the_agent_only_after_a_question(words: str) -> None:
    dialog = Dialog()
    assert dialog.heard(said(words), ALL_TOOLS) == Reply()
    dialog.user_wrote("[BACKEND] Shall I change the tests too?")
    assert dialog.asked(ALL_TOOLS).say == "Shall I change the tests too?"
    assert call_of(dialog.heard(said(words), ALL_TOOLS)) == ("background_agent", {"prompt": words})


@pytest.mark.parametrize(
    ("heard", "understood"),
    [
        (said("", confidence=0.0, from_grammar=False), False),
        (said("   "), False),
        (said("stop"), True),
        (said("stop", confidence=0.4, from_grammar=False), True),
        (said("stop", confidence=0.2, from_grammar=False), False),
        (said("stop", confidence=0.9, from_grammar=False), True),
        (said("be quiet", confidence=0.4, from_grammar=False), True),
        (said("how is it going", confidence=0.4, from_grammar=False), True),
        (said("reader", confidence=0.99, from_grammar=False), False),
        (said("rename the parser class", confidence=0.9, from_grammar=False), True),
        (said("rename the parser class", confidence=0.3, from_grammar=False), False),
        (said("and then it was the", confidence=0.9, from_grammar=False), False),
        (said("the the parser parser", confidence=0.9, from_grammar=False), False),
        (said("... !?", confidence=1.0, from_grammar=True), False),
    ],
)
def test_only_what_was_understood_is_a_request(heard: Heard, understood: bool) -> None:  # noqa: FBT001
    assert is_request(heard) is understood
    assert (Dialog().heard(heard, ALL_TOOLS).call is not None) is understood


def test_ambient_speech_gives_silence() -> None:
    dialog = Dialog()
    for text in ("uh", "the of and", "weather report tomorrow", "so he said that", ""):
        assert dialog.heard(said(text, confidence=0.1, from_grammar=False), ALL_TOOLS) == Reply()


def test_who_is_not_understood_hears_so_once_until_something_is_understood() -> None:
    dialog = Dialog()
    unclear = said("can you wreck a nice beach", confidence=0.4, from_grammar=False)
    first = dialog.heard(unclear, ALL_TOOLS)
    assert first.say
    assert first.call is None
    assert dialog.heard(unclear, ALL_TOOLS) == Reply()
    assert dialog.heard(said("run the tests"), ALL_TOOLS).call is not None
    assert dialog.heard(unclear, ALL_TOOLS).say


def test_without_the_agents_tool_it_says_so() -> None:
    reply = Dialog().heard(said("run the tests"), frozenset())
    assert reply.call is None
    assert reply.say
    assert "agent" in reply.say


def test_acknowledgements_vary_and_the_same_conversation_gives_the_same_words() -> None:
    one, other = Dialog(), Dialog()
    words = [one.heard(said("run the tests"), ALL_TOOLS).say for _ in range(5)]
    assert len(set(words)) == 5
    assert words == [other.heard(said("run the tests"), ALL_TOOLS).say for _ in range(5)]


def test_with_nothing_new_there_is_nothing_to_say() -> None:
    assert Dialog().asked(ALL_TOOLS) == Reply()
    assert working().asked(ALL_TOOLS) == Reply()


def test_the_newest_report_is_said_once_and_briefly() -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] Reading the files.")
    dialog.user_wrote("[BACKEND] 4 of 12 tests ran.\n\n```\nlong output\n```")
    assert dialog.asked(ALL_TOOLS) == Reply(say="4 of 12 tests ran.")
    assert dialog.asked(ALL_TOOLS) == Reply()


@pytest.mark.parametrize("finished", FINISHED)
def test_a_result_is_the_last_report_before_the_call_was_answered(finished: str) -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] Half of it.")
    dialog.user_wrote("[BACKEND] 11 tests pass, one fails.")
    dialog.answered("call_1", finished)
    dialog.user_wrote("[BACKEND] Now I am reading the next task.")
    assert dialog.asked(ALL_TOOLS).say == "11 tests pass, one fails."
    assert dialog.asked(ALL_TOOLS).say == "Now I am reading the next task."
    assert dialog.asked(ALL_TOOLS) == Reply()


@pytest.mark.parametrize("finished", FINISHED)
def test_a_result_that_was_said_already_is_not_said_again(finished: str) -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] All 12 tests pass.")
    assert dialog.asked(ALL_TOOLS).say == "All 12 tests pass."
    dialog.answered("call_1", finished)
    assert dialog.asked(ALL_TOOLS) == Reply()


@pytest.mark.parametrize("finished", FINISHED)
def test_an_end_without_a_word_is_said_to_be_the_end(finished: str) -> None:
    dialog = working()
    dialog.answered("call_1", finished)
    assert dialog.asked(ALL_TOOLS).say == "It is done."


def test_the_same_result_of_another_task_is_said_again() -> None:
    dialog = working()
    for call_id in ("call_1", "call_2"):
        dialog.called(call_id, "background_agent")
        dialog.user_wrote("[BACKEND] All 12 tests pass.")
        dialog.answered(call_id, FINISHED[0])
        assert dialog.asked(ALL_TOOLS).say == "All 12 tests pass."


def test_a_failure_is_said() -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] Half of it.")
    dialog.answered("call_1", "The background agent could not finish: git is not installed")
    assert dialog.asked(ALL_TOOLS).say == "The background agent could not finish: git is not installed"
    assert dialog.asked(ALL_TOOLS) == Reply()


@pytest.mark.parametrize("steered", STEERED)
def test_a_change_taken_is_acknowledged_shortly_and_not_read_out(steered: str) -> None:
    dialog = working()
    dialog.called("call_2", "background_agent")
    dialog.answered("call_2", steered)
    reply = dialog.asked(ALL_TOOLS)
    assert reply.say
    assert reply.say != steered
    assert len(reply.say) < 30
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_a_change_that_was_refused_is_read_out() -> None:
    dialog = working()
    dialog.called("call_2", "background_agent")
    dialog.answered("call_2", STEERED[0])
    dialog.user_wrote("[BACKEND] The search cannot be narrowed while it runs.")
    assert dialog.asked(ALL_TOOLS).say == "The search cannot be narrowed while it runs."
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_of_a_stopped_task_only_the_stop_is_said() -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] Half of it.")
    assert call_of(dialog.heard(said("stop"), ALL_TOOLS)) == ("stop_agent", {})
    dialog.called("call_2", "stop_agent")
    dialog.answered("call_1", STOPPED)
    dialog.answered("call_2", STOPPED_ANSWER)
    assert dialog.asked(ALL_TOOLS).say == STOPPED_ANSWER
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_status_is_said_as_the_tool_gave_it_and_a_waiting_result_with_it() -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] All 12 tests pass.")
    dialog.answered("call_1", FINISHED[0])
    dialog.called("call_2", "agent_status")
    dialog.answered("call_2", "No task is running. The last one finished 2 seconds ago.")
    assert dialog.asked(ALL_TOOLS).say == (
        "All 12 tests pass. No task is running. The last one finished 2 seconds ago."
    )


def test_what_the_user_typed_to_the_agent_is_not_answered() -> None:
    dialog = Dialog()
    dialog.user_wrote("[USER] run the tests")
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_what_a_user_types_to_the_voice_is_answered_as_if_spoken() -> None:
    dialog = Dialog()
    dialog.user_wrote("run the tests")
    assert call_of(dialog.asked(ALL_TOOLS)) == ("background_agent", {"prompt": "run the tests"})
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_what_was_cut_off_is_offered_again_unless_there_is_newer() -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] All 12 tests pass.")
    assert dialog.asked(ALL_TOOLS).say == "All 12 tests pass."
    dialog.interrupted()
    dialog.heard(said("hello"), ALL_TOOLS)
    assert dialog.asked(ALL_TOOLS).say == "All 12 tests pass."
    assert dialog.asked(ALL_TOOLS) == Reply()
    dialog.interrupted()
    dialog.user_wrote("[BACKEND] The next one fails.")
    assert dialog.asked(ALL_TOOLS).say == "The next one fails."
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_a_cut_acknowledgement_brings_nothing_back() -> None:
    dialog = working()
    dialog.interrupted()
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_a_report_that_is_only_code_points_to_the_screen() -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] ```\nx = 1\n```")
    reply = dialog.asked(ALL_TOOLS)
    assert reply.say
    assert "screen" in reply.say


def test_several_utterances_are_one_request_without_what_was_not_understood() -> None:
    noise = said("the of", confidence=0.2, from_grammar=False)
    assert joined((said("run the tests"), noise, said("only core"))).text == "run the tests\nonly core"
    assert joined((noise,)) == noise
    free = said("rename the parser class", confidence=0.7, from_grammar=False)
    both = joined((said("run the tests"), free))
    assert (both.confidence, both.from_grammar) == (0.7, False)
    assert is_request(both)


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("be quiet", "silent"),
        ("no more updates please", "silent"),
        ("stop talking", "silent"),
        ("please keep it down", "silent"),
        ("Only tell me the results.", "results"),
        ("just the results", "results"),
        ("tell me when it is done", "results"),
        ("let me know when you\u2019re finished", "results"),
        ("keep me posted", "milestones"),
        ("tell me the important steps", "milestones"),
        ("normal updates", "milestones"),
        ("tell me everything", "chatty"),
        ("keep me updated on everything", "chatty"),
        ("be chatty from now on", "chatty"),
    ],
)
def test_a_wish_for_more_or_fewer_updates_sets_their_level_if_there_is_a_tool_for_it(words: str, level: str) -> None:
    reply = Dialog().heard(said(words), ALL_TOOLS)
    assert reply.say is None
    assert call_of(reply) == ("set_updates", {"level": level})
    assert call_of(Dialog().heard(said(words), REFERENCE_TOOLS)) == ("background_agent", {"prompt": words})


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        ("stop", "stop_agent"),
        ("stop it now", "stop_agent"),
        ("quiet", "background_agent"),
        ("any updates", "agent_status"),
        ("update me", "agent_status"),
        ("tell me everything about the parser", "background_agent"),
        ("keep me posted about the results", "background_agent"),
        ("only the core tests", "background_agent"),
    ],
)
def test_other_wishes_leave_the_updates_as_they_are(words: str, tool: str) -> None:
    call = call_of(Dialog().heard(said(words), ALL_TOOLS))
    assert call is not None
    assert call[0] == tool


@pytest.mark.parametrize("level", ["silent", "results", "milestones", "chatty"])
def test_a_level_that_was_set_is_acknowledged_shortly(level: str) -> None:
    dialog = Dialog()
    dialog.called("call_1", "set_updates")
    dialog.answered("call_1", f"From now on the level of updates is: {level}.")
    reply = dialog.asked(ALL_TOOLS)
    assert reply.say
    assert reply.say.startswith("Okay")
    assert len(reply.say) < 50
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_a_level_that_was_not_set_is_read_out() -> None:
    dialog = Dialog()
    dialog.called("call_1", "set_updates")
    dialog.answered("call_1", "There is no such level of updates.")
    assert dialog.asked(ALL_TOOLS).say == "There is no such level of updates."


def test_every_wish_for_updates_in_the_recognisers_grammar_is_understood() -> None:
    sampler = Sampler(seed=14)
    levels = set()
    for _ in range(1000):
        sentence = sampler.sentence("updates")
        call = call_of(Dialog().heard(said(sentence), ALL_TOOLS))
        assert call is not None
        assert call[0] == "set_updates", sentence
        levels.add(call[1]["level"])
    assert levels == {"silent", "results", "milestones", "chatty"}


def test_every_answer_to_a_request_for_permission_in_the_grammar_is_understood() -> None:
    sampler = Sampler(seed=15)
    answers = {sampler.sentence("permission") for _ in range(300)} | {"yes", "no", "yes please", "no thanks"}
    for sentence in answers:
        assert call_of(asking().heard(said(sentence), ALL_TOOLS)) == (
            "answer_approval",
            {
                "approval_id": "a1",
                "decision": "decline" if {"no", "not", "don't"} & set(sentence.split()) else "approve",
            },
        ), sentence


def asking() -> Dialog:
    """A dialog that has just asked for a permission."""
    dialog = working()
    dialog.user_wrote(f"[BACKEND] {MAY_IT_PUSH}")
    assert dialog.asked(ALL_TOOLS).say == "May I run git push?"
    assert dialog.asked(ALL_TOOLS) == Reply()
    return dialog


@pytest.mark.parametrize(
    ("words", "decision"),
    [
        ("yes", "approve"),
        ("Yes, please!", "approve"),
        ("sure, go ahead", "approve"),
        ("okay", "approve"),
        ("no", "decline"),
        ("no thanks", "decline"),
        ("don\u2019t do it", "decline"),
    ],
)
def test_a_yes_or_no_to_the_question_is_passed_on_without_a_word(words: str, decision: str) -> None:
    reply = asking().heard(said(words), ALL_TOOLS)
    assert reply.say is None
    assert call_of(reply) == ("answer_approval", {"approval_id": "a1", "decision": decision})


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        ("stop", "stop_agent"),
        ("how is it going", "agent_status"),
        ("be quiet", "set_updates"),
        ("yes but only to the test branch", "background_agent"),
        ("yes and run the tests", "background_agent"),
        ("what would you push", "background_agent"),
        ("yes yes yes yes yes yes yes yes yes yes yes yes yes", "background_agent"),
    ],
)
def test_whatever_else_is_said_to_the_question_is_handled_as_usual(words: str, tool: str) -> None:
    call = call_of(asking().heard(said(words), ALL_TOOLS))
    assert call is not None
    assert call[0] == tool


def test_noise_after_the_question_is_no_answer_and_the_answer_may_still_come() -> None:
    dialog = asking()
    assert dialog.heard(said("the of", confidence=0.2, from_grammar=False), ALL_TOOLS) == Reply()
    assert call_of(dialog.heard(said("yes"), ALL_TOOLS)) is not None


def test_a_yes_after_something_else_was_said_is_no_answer_and_the_question_is_put_again() -> None:
    dialog = asking()
    assert dialog.heard(said("hello"), ALL_TOOLS).call is None
    assert dialog.heard(said("yes"), ALL_TOOLS) == Reply(say="May I run git push?")
    assert call_of(dialog.heard(said("yes"), ALL_TOOLS)) == (
        "answer_approval",
        {"approval_id": "a1", "decision": "approve"},
    )


def test_a_yes_after_news_is_no_answer_but_a_no_is() -> None:
    dialog = asking()
    dialog.user_wrote("[BACKEND] Half of the tests ran.")
    assert dialog.asked(ALL_TOOLS).say == "Half of the tests ran."
    assert call_of(dialog.heard(said("no"), ALL_TOOLS)) == (
        "answer_approval",
        {"approval_id": "a1", "decision": "decline"},
    )


def test_a_yes_to_another_question_of_the_agent_is_for_the_agent() -> None:
    dialog = asking()
    dialog.user_wrote("[BACKEND] Shall I change the tests too?")
    assert dialog.asked(ALL_TOOLS).say == "Shall I change the tests too?"
    assert call_of(dialog.heard(said("yes"), ALL_TOOLS)) == ("background_agent", {"prompt": "yes"})


def test_a_question_that_was_cut_off_is_put_again_and_not_answered_by_what_cut_it_off() -> None:
    dialog = asking()
    dialog.interrupted()
    assert dialog.heard(said("yes"), ALL_TOOLS) == Reply()
    assert dialog.asked(ALL_TOOLS).say == "May I run git push?"


def test_while_an_answer_is_being_passed_on_a_nod_is_no_second_answer() -> None:
    dialog = asking()
    assert dialog.heard(said("yes"), ALL_TOOLS).call is not None
    dialog.called("call_2", "answer_approval")
    assert dialog.heard(said("yes"), ALL_TOOLS) == Reply()


def test_without_the_tool_for_the_answer_the_user_is_sent_to_the_screen() -> None:
    dialog = working()
    dialog.user_wrote(f"[BACKEND] {MAY_IT_PUSH}")
    reply = dialog.asked(REFERENCE_TOOLS)
    assert reply.say
    assert reply.say.endswith("Please answer on the screen.")
    assert dialog.heard(said("yes"), REFERENCE_TOOLS) == Reply()


def test_news_and_the_question_are_said_together_with_the_question_at_the_end() -> None:
    dialog = working()
    dialog.user_wrote("[BACKEND] All 12 tests pass.")
    dialog.answered("call_1", FINISHED[0])
    dialog.user_wrote(f"[BACKEND] {MAY_IT_DELETE}")
    dialog.user_wrote(f"[BACKEND] {MAY_IT_PUSH}")
    assert dialog.asked(ALL_TOOLS).say == (
        "All 12 tests pass. The agent asks for a permission. Please answer on the screen. May I run git push?"
    )
    assert call_of(dialog.heard(said("yes"), ALL_TOOLS)) is not None


def test_a_request_that_is_kept_for_later_is_acknowledged_and_its_result_is_said_without_a_call() -> None:
    dialog = working()
    assert dialog.heard(said("after that run the linter"), ALL_TOOLS).call is not None
    dialog.called("call_2", "background_agent")
    dialog.answered("call_2", KEPT)
    reply = dialog.asked(ALL_TOOLS)
    assert reply.say
    assert "after" in reply.say or "next" in reply.say
    assert len(reply.say) < 40
    dialog.user_wrote("[BACKEND] All 12 tests pass.")
    dialog.answered("call_1", FINISHED[0])
    assert dialog.asked(ALL_TOOLS).say == "All 12 tests pass."
    dialog.user_wrote("[BACKEND] The linter found nothing.")
    assert dialog.asked(ALL_TOOLS).say == "The linter found nothing."
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_a_request_is_kept_also_when_the_running_task_has_no_call() -> None:
    dialog = Dialog()
    dialog.user_wrote("[BACKEND] Reading the files.")
    dialog.called("call_1", "background_agent")
    dialog.answered("call_1", KEPT)
    reply = dialog.asked(ALL_TOOLS)
    assert reply.say
    assert reply.say.startswith("Reading the files. ")
    assert KEPT not in reply.say


def test_a_result_without_a_call_is_not_lost_when_the_user_asks_how_it_is_going_before_it_is_said() -> None:
    dialog = Dialog()
    dialog.user_wrote("[BACKEND] All 12 tests pass.")
    dialog.called("call_1", "agent_status")
    dialog.answered("call_1", "No task is running. The last one finished 2 seconds ago.")
    assert dialog.asked(ALL_TOOLS).say == (
        "All 12 tests pass. No task is running. The last one finished 2 seconds ago."
    )
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_what_the_status_says_already_is_not_said_beside_it() -> None:
    dialog = Dialog()
    dialog.user_wrote("[BACKEND] Collecting.")
    dialog.called("call_1", "agent_status")
    dialog.answered("call_1", STILL_WORKING)
    assert dialog.asked(ALL_TOOLS).say == "Still working on “run the tests”, for 20 seconds now. Latest: Collecting."


def test_of_a_stopped_task_without_a_call_only_the_stop_is_said() -> None:
    dialog = Dialog()
    dialog.user_wrote("[BACKEND] Half of it.")
    dialog.called("call_1", "stop_agent")
    dialog.answered("call_1", STOPPED_ANSWER)
    assert dialog.asked(ALL_TOOLS).say == STOPPED_ANSWER
    assert dialog.asked(ALL_TOOLS) == Reply()


def test_a_sign_of_life_is_said_briefly_and_is_no_result() -> None:
    dialog = working()
    dialog.user_wrote(f"[BACKEND] {STILL_WORKING}")
    assert dialog.asked(ALL_TOOLS).say == "Still working on it, for 20 seconds now."
    assert dialog.asked(ALL_TOOLS) == Reply()
    dialog.answered("call_1", FINISHED[0])
    assert dialog.asked(ALL_TOOLS).say == "It is done."


def test_a_sign_of_life_does_not_displace_a_report() -> None:
    dialog = Dialog()
    dialog.user_wrote("[BACKEND] All 12 tests pass.")
    dialog.user_wrote(f"[BACKEND] {STILL_WORKING}")
    assert dialog.asked(ALL_TOOLS).say == "All 12 tests pass."
    assert dialog.asked(ALL_TOOLS) == Reply()


texts = st.text(max_size=80) | st.sampled_from(
    [
        *("[BACKEND] Half.", "[BACKEND] ", "[USER] x", "run it", "yes", "no", "be quiet", ""),
        *(
            f"[BACKEND] {report}"
            for report in (STILL_WORKING, MAY_IT_PUSH, MAY_IT_DELETE, "About request a1: It is off.")
        ),
        *(*FINISHED, *STEERED, STOPPED, STOPPED_ANSWER, KEPT, LEVEL_SET),
        "Nothing is decided. Ask the user about request a1: May I run git push?",
    ]
)


@given(text=st.text(max_size=300), confidence=st.floats(min_value=0, max_value=1), from_grammar=st.booleans())
def test_only_what_was_heard_is_ever_handed_over(text: str, confidence: float, from_grammar: bool) -> None:  # noqa: FBT001
    reply = Dialog().heard(Heard(text=text, confidence=confidence, from_grammar=from_grammar), REFERENCE_TOOLS)
    if reply.call is not None:
        assert call_of(reply) == ("background_agent", {"prompt": text.strip()})


class AnyConversation(RuleBasedStateMachine):
    """Whatever happens in whatever order: it never raises, and only offered tools are called."""

    def __init__(self) -> None:
        super().__init__()
        self.dialog = Dialog()
        self.reply = Reply()
        self.tools: frozenset[str] = frozenset()

    @rule(tools=st.frozensets(st.sampled_from(sorted(ALL_TOOLS))))
    def offer(self, tools: frozenset[str]) -> None:
        self.tools, self.reply = tools, Reply()

    @rule(text=texts, confidence=st.floats(min_value=0, max_value=1), from_grammar=st.booleans())
    def speak(self, text: str, confidence: float, from_grammar: bool) -> None:  # noqa: FBT001
        self.reply = self.dialog.heard(Heard(text=text, confidence=confidence, from_grammar=from_grammar), self.tools)

    @rule(text=texts)
    def write(self, text: str) -> None:
        self.dialog.user_wrote(text)

    @rule(call_id=st.sampled_from("abc"), name=st.sampled_from([*sorted(ALL_TOOLS), "other"]))
    def call(self, call_id: str, name: str) -> None:
        self.dialog.called(call_id, name)

    @rule(call_id=st.sampled_from("abcd"), output=texts)
    def answer(self, call_id: str, output: str) -> None:
        self.dialog.answered(call_id, output)

    @rule()
    def ask(self) -> None:
        self.reply = self.dialog.asked(self.tools)

    @rule()
    def interrupt(self) -> None:
        self.dialog.interrupted()

    @rule()
    def fall_silent(self) -> None:
        """Asked again and again, it has said everything: nothing is said twice."""
        for _ in range(80):
            if self.dialog.asked(frozenset()) == Reply():
                break
        assert self.dialog.asked(frozenset()) == Reply()

    @invariant()
    def calls_what_is_offered_and_says_little(self) -> None:
        if self.reply.call is not None:
            assert self.reply.call.name in self.tools
        if self.reply.say is not None:
            # Two pieces of news, that something waits on the screen, and a question.
            assert 0 < len(self.reply.say) <= 900


TestAnyConversation = AnyConversation.TestCase
TestAnyConversation.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_free_words_that_are_a_request_the_agent_knows_are_trusted() -> None:
    free = Heard(text="search for error handling", confidence=0.3, from_grammar=False)

    assert not is_request(free)
    assert assured(free, lambda text: text == free.text) == dataclasses.replace(free, confidence=MIN_CONFIDENCE)
    assert is_request(assured(free, lambda _text: True))


@pytest.mark.parametrize(
    "heard",
    [
        Heard(text="town is a dying", confidence=0.3, from_grammar=False),
        Heard(text="run the tests", confidence=0.7, from_grammar=True),
    ],
)
def test_other_words_are_as_certain_as_they_were(heard: Heard) -> None:
    assert assured(heard, lambda _text: False) == heard


def test_a_word_or_two_may_be_a_request_by_chance() -> None:
    help_me = Heard(text="help me", confidence=0.3, from_grammar=False)

    assert assured(help_me, lambda _text: True) == help_me
