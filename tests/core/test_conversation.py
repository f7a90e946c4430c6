"""The conversation as it is written in the design: one test for each rule."""

from __future__ import annotations

import msgspec
import pytest

from backchannel.core import (
    Activity,
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    AgentMessageDelta,
    AgentTurnEnded,
    Conversation,
    Options,
    Outcome,
    Phase,
    Speech,
    State,
    effects,
    events,
    render_delegation,
    screen,
)
from backchannel.core.conversation import FLOOR_TIMER, HEARTBEAT_TIMER
from backchannel.core.handoff import STOP_DEADLINE_S
from backchannel.core.handoff import TIMER as STOP_TIMER
from backchannel.core.link import ROTATION_TIMER
from backchannel.core.response import DEADLINE_S
from backchannel.core.response import TIMER as RESPONSE_TIMER
from backchannel.errors import LocalProtocolError
from backchannel.testing import Anything, Matcher, Playbook, sent, shown
from backchannel.wire.realtime import events as server
from backchannel.wire.realtime import intents

SPEAK = effects.Send(intent=intents.RequestResponse())
OPENED = events.TransportOpened()
DONE = server.ResponseDone(response_id="r1")
CREATED = server.ResponseCreated(response_id="r1")


def book(options: Options | None = None, *, showing: bool = False, timing: bool = False) -> Playbook:
    """A conversation that is live, at 100 s."""
    conversation = Conversation(options if options is not None else Options())
    playbook = Playbook(conversation, start_s=100.0, showing=showing, timing=timing)
    playbook >> OPENED << effects.TakeTransport() << effects.Configure()
    if showing:
        playbook << effects.Show(event=screen.ConversationStarted())
    playbook << effects.BriefAgent(by_voice=True)
    if timing:
        playbook << effects.SetTimer(name=ROTATION_TIMER, deadline=100.0 + 3300.0)
    return playbook


def handoff(call_id: str = "call_1", text: str = "run the tests") -> server.HandoffRequested:
    return server.HandoffRequested(handoff_id=call_id, item_id=f"item_{call_id}", text=text)


def tool(name: str, call_id: str) -> server.ToolCalled:
    return server.ToolCalled(call_id=call_id, item_id=f"item_{call_id}", name=name, arguments="{}")


def progress(text: str, turn_id: str = "turn_1") -> AgentMessage:
    return AgentMessage(turn_id=turn_id, text=text, phase=Phase.COMMENTARY)


def final(text: str, turn_id: str = "turn_1") -> AgentMessage:
    return AgentMessage(turn_id=turn_id, text=text, phase=Phase.FINAL)


def ended(outcome: Outcome = Outcome.COMPLETED, turn_id: str = "turn_1", error: str | None = None) -> AgentTurnEnded:
    return AgentTurnEnded(turn_id=turn_id, outcome=outcome, error=error)


def reported(
    text: str, handoff_id: str | None = "call_1", phase: intents.Phase | None = "commentary"
) -> effects.Effect:
    return effects.Send(intent=intents.ReportProgress(handoff_id=handoff_id, text=text, phase=phase))


def finished(call_id: str, contains: str = "") -> Matcher:
    return sent(intents.FinishHandoff, lambda done: done.handoff_id == call_id and contains in done.output)


def answered(*, timing: bool = False) -> Playbook:
    """A conversation in which a delegation runs, and the voice is to speak of a milestone when it is quiet."""
    playbook = book(timing=timing)
    playbook >> handoff() << Anything()
    if timing:
        playbook << effects.SetTimer(name=HEARTBEAT_TIMER, deadline=120.0)
    playbook >> server.InputSpeechStopped()
    playbook >> progress("a") << reported("a")
    return playbook


def working(options: Options | None = None) -> Playbook:
    """A conversation in which a delegation runs."""
    playbook = book(options)
    playbook >> handoff() << Anything()
    return playbook


# Opening.


def test_a_conversation_starts_once_the_transport_is_open() -> None:
    conversation = Conversation(Options())
    states = [conversation.state]

    with Playbook(conversation) as playbook:
        playbook >> OPENED << effects.TakeTransport() << effects.Configure()
        playbook << effects.Show(event=screen.ConversationStarted()) << effects.BriefAgent(by_voice=True)
        playbook << effects.SetTimer(name=ROTATION_TIMER, deadline=3300.0)
    assert [*states, conversation.state] == [State.CONNECTING, State.LIVE]


def test_a_conversation_that_cannot_be_opened_fails_and_neither_starts_nor_closes() -> None:
    conversation = Conversation(Options())

    with Playbook(conversation) as playbook:
        failed = effects.Show(event=screen.ConversationFailed(message="connect failed"))
        playbook >> events.OpenFailed(message="connect failed") << failed
    assert conversation.state is State.CLOSED


@pytest.mark.parametrize("first", [OPENED, events.OpenFailed(message="no")])
@pytest.mark.parametrize("second", [OPENED, events.OpenFailed(message="no")])
def test_an_opening_that_is_told_twice_is_a_bug_and_changes_nothing(first: events.Event, second: events.Event) -> None:
    conversation = Conversation(Options())
    conversation.handle(first, 1.0)
    state = conversation.state

    with pytest.raises(LocalProtocolError, match=f"expected no opening while {state.value}, but a way"):
        conversation.handle(second, 2.0)
    assert conversation.state is state


def test_before_the_transport_is_open_nothing_happens() -> None:
    with Playbook(Conversation(Options())) as playbook:
        playbook >> events.AudioCaptured(duration_ms=20)
        playbook >> events.AudioReceived(item_id="a", duration_ms=20)
        playbook >> handoff()
        playbook >> events.TransportClosed(message="gone")


# Delegating.


def test_a_delegation_carries_what_was_said_since_the_one_before() -> None:
    with book() as playbook:
        playbook >> server.InputTranscriptDelta(delta="run")
        playbook >> server.InputTranscriptDone(text="run the tests")
        playbook >> server.OutputTranscriptDelta(delta="on")
        playbook >> server.OutputTranscriptDone(text="on it")
        text = render_delegation("run the tests", "user: run the tests\nassistant: on it")
        playbook >> handoff() << effects.StartTurn(turn_id="turn_1", text=text)

        playbook >> server.InputTranscriptDone(text="only core")
        text = render_delegation("only core", "user: only core")
        playbook >> handoff("call_2", "only core")
        playbook << effects.SteerTurn(turn_id="turn_1", text=text, by_voice=True) << finished("call_2") << SPEAK


def test_a_request_that_was_not_transcribed_yet_stands_in_what_was_said() -> None:
    with book() as playbook:
        text = render_delegation("run the tests", "user: run the tests")
        playbook >> handoff() << effects.StartTurn(turn_id="turn_1", text=text)


def test_a_second_delegation_steers_is_answered_and_the_first_call_stays_open() -> None:
    with working() as playbook:
        playbook >> handoff("call_2", "only core")
        playbook << Anything() << finished("call_2", "already running") << SPEAK
        playbook >> CREATED
        playbook >> progress("core only") << reported("core only")
        playbook >> final("all passed") << reported("all passed", phase="final")
        playbook >> ended() << finished("call_1", "[BACKEND]")
        playbook >> DONE
        playbook.advance(0.7) << SPEAK


def test_an_empty_request_is_answered_at_once_and_does_not_turn_later_ones_into_changes() -> None:
    with book() as playbook:
        playbook >> handoff(text="") << finished("call_1", "no request") << SPEAK
        (
            playbook
            >> handoff("call_2")
            << effects.StartTurn(turn_id="turn_1", text=render_delegation("run the tests", "user: run the tests"))
        )


def test_a_repeated_delegation_is_ignored() -> None:
    with working() as playbook:
        playbook >> handoff()


def test_a_repeated_delegation_takes_nothing_of_what_was_said() -> None:
    with working() as playbook:
        playbook >> server.InputTranscriptDone(text="faster please")
        playbook >> handoff()
        text = render_delegation("only core", "user: faster please\nuser: only core")
        playbook >> handoff("call_2", "only core")
        playbook << effects.SteerTurn(turn_id="turn_1", text=text, by_voice=True) << Anything() << SPEAK


def test_what_the_server_tells_of_its_items_starts_and_ends_nothing() -> None:
    with working() as playbook:
        playbook >> server.SessionUpdated(session_id="s")
        playbook >> server.ItemAdded(item=msgspec.Raw(b'{"type":"message","role":"user"}'))
        playbook >> server.ItemDone(item_id="item_call_1")
        playbook >> ended() << finished("call_1") << SPEAK


# Speaking of the agent's news.


def test_progress_is_context_at_once_and_said_after_700_ms_of_quiet() -> None:
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> server.InputSpeechStopped()
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook.advance(0.69)
        playbook.advance(0.02) << SPEAK


def test_several_pieces_of_news_are_said_at_once_and_once() -> None:
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook >> progress("6 of 9 ran")
        playbook >> ended() << reported("6 of 9 ran") << finished("call_1")
        playbook >> server.InputSpeechStopped()
        playbook.advance(0.7) << SPEAK
        playbook >> CREATED
        playbook >> DONE
        playbook.advance(600.0)


def test_news_does_not_interrupt_the_user() -> None:
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook.advance(5.0)
        playbook >> server.InputSpeechStopped()
        playbook.advance(0.5)
        playbook >> server.InputSpeechStarted()
        playbook.advance(5.0)
        playbook >> server.InputSpeechStopped()
        playbook.advance(0.7) << SPEAK


def test_late_words_of_a_user_who_speaks_again_do_not_free_the_floor() -> None:
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> server.InputSpeechStopped()
        playbook >> server.InputSpeechStarted()
        playbook >> server.InputTranscriptDone(text="wait")
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook.advance(10.0)


def test_where_the_server_does_not_tell_the_end_of_speech_the_words_do() -> None:
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook >> server.InputTranscriptDone(text="hello")
        playbook.advance(0.7) << SPEAK


def test_news_waits_for_the_voices_own_answer_and_for_it_to_be_heard() -> None:
    with working() as playbook:
        playbook >> CREATED
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook >> events.AudioReceived(item_id="a", duration_ms=3000) << effects.PlayAudio(item_id="a")
        playbook.advance(0.1)
        playbook >> DONE
        playbook.advance(3.59)
        playbook.advance(0.02) << SPEAK


def test_news_waits_longer_when_more_audio_comes() -> None:
    with working() as playbook:
        playbook >> events.AudioReceived(item_id="a", duration_ms=1000) << effects.PlayAudio(item_id="a")
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook.advance(0.5)
        playbook >> events.AudioReceived(item_id="a", duration_ms=1000) << effects.PlayAudio(item_id="a")
        playbook.advance(2.19)
        playbook.advance(0.02) << SPEAK


def test_what_a_player_tells_moves_the_moment_to_speak() -> None:
    with working() as playbook:
        playbook >> events.AudioReceived(item_id="a", duration_ms=1000) << effects.PlayAudio(item_id="a")
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook.advance(1.0)
        playbook >> events.Played(item_id="a", total_ms=500)
        playbook.advance(1.19)
        playbook.advance(0.02) << SPEAK


def test_the_floor_sets_one_timer_and_cancels_it_when_it_is_not_needed() -> None:
    with answered(timing=True) as playbook:
        playbook << effects.SetTimer(name=FLOOR_TIMER, deadline=100.7)
        playbook >> final("b") << reported("b", phase="final")
        playbook >> server.InputSpeechStarted() << effects.CancelTimer(name=FLOOR_TIMER)
        playbook.advance(1.0)
        playbook >> server.InputSpeechStopped() << effects.SetTimer(name=FLOOR_TIMER, deadline=101.7)
        playbook.advance(0.7) << SPEAK << effects.SetTimer(name=RESPONSE_TIMER, deadline=101.7 + DEADLINE_S)


def test_more_audio_moves_the_floors_timer() -> None:
    with answered(timing=True) as playbook:
        playbook << effects.SetTimer(name=FLOOR_TIMER, deadline=100.7)
        playbook >> events.AudioReceived(item_id="a", duration_ms=1000) << effects.PlayAudio(item_id="a")
        playbook << effects.SetTimer(name=FLOOR_TIMER, deadline=101.7)


def test_a_floor_timer_that_fires_early_is_set_again() -> None:
    with answered(timing=True) as playbook:
        playbook << effects.SetTimer(name=FLOOR_TIMER, deadline=100.7)
        playbook >> events.TimerFired(name=FLOOR_TIMER) << effects.SetTimer(name=FLOOR_TIMER, deadline=100.7)


@pytest.mark.parametrize(
    ("speech", "of_progress", "of_result"),
    [
        (Speech.SILENT, False, False),
        (Speech.RESULTS, False, True),
        (Speech.MILESTONES, True, True),
        (Speech.CHATTY, True, True),
        (Speech.IMMEDIATE, False, True),
    ],
)
def test_how_much_is_said_is_chosen(speech: Speech, *, of_progress: bool, of_result: bool) -> None:
    with working(Options(speech=speech)) as playbook:
        playbook >> server.InputSpeechStopped()
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook.advance(5.0)
        if of_progress:
            playbook << SPEAK
        playbook >> DONE
        playbook >> server.InputSpeechStopped()
        playbook >> ended() << finished("call_1")
        if speech is Speech.IMMEDIATE:
            playbook << SPEAK
        playbook.advance(60.0)
        if of_result and speech is not Speech.IMMEDIATE:
            playbook << SPEAK


def test_how_long_quiet_has_to_last_is_chosen() -> None:
    with working(Options(quiet_ms=2000)) as playbook:
        playbook >> server.InputSpeechStopped()
        playbook >> ended() << finished("call_1")
        playbook.advance(1.99)
        playbook.advance(0.02) << SPEAK


def test_a_dialect_that_speaks_by_itself_is_never_asked_to() -> None:
    with working(Options(creates_responses=False)) as playbook:
        playbook >> handoff("call_2", "only core") << Anything() << finished("call_2")
        playbook >> progress("3 of 9 ran") << reported("3 of 9 ran")
        playbook >> ended() << finished("call_1")
        playbook.advance(60.0)


# Results.


def test_a_result_is_answered_once_and_said_when_the_floor_is_free() -> None:
    with working() as playbook:
        playbook >> final("all passed") << reported("all passed", phase="final")
        playbook >> ended() << finished("call_1", "[BACKEND]") << SPEAK
        playbook >> ended()


def test_a_task_without_a_message_is_answered_too() -> None:
    with working() as playbook:
        playbook >> ended() << finished("call_1", "nothing to say") << SPEAK


def test_a_task_that_failed_is_answered_with_the_reason() -> None:
    with working() as playbook:
        playbook >> ended(Outcome.FAILED, error="pytest is missing") << finished("call_1", "pytest is missing") << SPEAK


def test_a_task_that_was_interrupted_is_answered() -> None:
    with working() as playbook:
        playbook >> ended(Outcome.INTERRUPTED) << finished("call_1", "stopped") << SPEAK


def test_what_the_agent_does_is_shown_as_it_came() -> None:
    with book(Options(speech=Speech.SILENT), showing=True) as playbook:
        playbook >> progress("3 of 9 ran", "turn_9") << effects.Show(event=progress("3 of 9 ran", "turn_9"))
        playbook << reported("3 of 9 ran", None)
        for report in (
            AgentMessageDelta(turn_id="turn_9", delta="3"),
            AgentCommandStarted(turn_id="turn_9", command_id="c", command="pytest"),
            AgentCommandOutput(turn_id="turn_9", command_id="c", text="."),
            AgentCommandEnded(turn_id="turn_9", command_id="c", exit_status=0, elapsed_s=1.0),
            ended(turn_id="turn_9"),
        ):
            playbook >> report << effects.Show(event=report)


# Stopping.


def test_a_stop_by_tool_interrupts_the_task_and_both_calls_are_answered_when_it_has_ended() -> None:
    with working() as playbook:
        playbook >> tool("stop_agent", "stop_1") << effects.InterruptTurn(turn_id="turn_1")
        playbook >> ended(Outcome.INTERRUPTED) << finished("call_1", "as asked")
        playbook << effects.Send(intent=intents.AnswerCall(call_id="stop_1", output="The task is stopped."))
        playbook << SPEAK


def test_a_stop_by_hand_does_the_same() -> None:
    with working() as playbook:
        playbook >> events.TaskStopRequested() << effects.InterruptTurn(turn_id="turn_1")
        playbook >> events.TaskStopRequested()
        playbook >> ended(Outcome.INTERRUPTED) << finished("call_1", "as asked") << SPEAK


def test_a_task_that_does_not_stop_in_time_is_given_up() -> None:
    with working() as playbook:
        playbook >> events.TaskStopRequested() << effects.InterruptTurn(turn_id="turn_1")
        assert playbook.timers[STOP_TIMER] == 100.0 + STOP_DEADLINE_S
        playbook.advance(STOP_DEADLINE_S) << finished("call_1", "did not stop in time") << SPEAK
        playbook >> ended(Outcome.INTERRUPTED)


def test_the_timer_of_a_stop_is_cancelled_when_the_task_has_ended() -> None:
    with working() as playbook:
        playbook >> events.TaskStopRequested() << effects.InterruptTurn(turn_id="turn_1")
        playbook >> ended(Outcome.INTERRUPTED) << finished("call_1") << SPEAK
        assert STOP_TIMER not in playbook.timers


def test_a_request_while_the_task_is_stopping_starts_when_it_has_stopped() -> None:
    with working() as playbook:
        playbook >> events.TaskStopRequested() << effects.InterruptTurn(turn_id="turn_1")
        playbook >> handoff("call_2", "list the files")
        playbook >> ended(Outcome.INTERRUPTED) << finished("call_1")
        text = render_delegation("list the files", "user: list the files")
        playbook << effects.StartTurn(turn_id="turn_2", text=text) << SPEAK


def test_with_nothing_to_stop_the_voice_is_told_so() -> None:
    with book() as playbook:
        playbook >> events.TaskStopRequested()
        playbook >> tool("stop_agent", "stop_1")
        playbook << sent(intents.AnswerCall, lambda answer: "nothing to stop" in answer.output) << SPEAK


# Other tools.


def test_the_status_is_answered_from_what_is_known() -> None:
    with working() as playbook:
        playbook.advance(5.0)
        playbook >> tool("agent_status", "status_1")
        playbook << sent(intents.AnswerCall, lambda answer: "for 5 seconds" in answer.output) << SPEAK


def test_an_unknown_tool_is_answered_so_that_the_voice_can_go_on() -> None:
    with book() as playbook:
        playbook >> tool("make_coffee", "x_1")
        playbook << effects.Send(intent=intents.AnswerCall(call_id="x_1", output="There is no tool named make_coffee."))
        playbook << SPEAK
        playbook >> tool("make_coffee", "x_1")


def test_remaining_silent_is_answered_with_nothing_and_no_response() -> None:
    with book() as playbook:
        silent = server.NoopRequested(call_id="x_1", item_id="i")
        playbook >> silent << effects.Send(intent=intents.AnswerCall(call_id="x_1", output=""))
        playbook.advance(60.0)
        playbook >> silent


# One response at a time.


def test_a_wanted_response_waits_for_the_active_one() -> None:
    with book() as playbook:
        playbook >> CREATED
        playbook >> tool("agent_status", "status_1") << Anything()
        playbook >> tool("agent_status", "status_2") << Anything()
        playbook >> DONE << SPEAK
        playbook >> server.ResponseCreated(response_id="r2")
        playbook >> server.ResponseDone(response_id="r2")


def test_the_late_end_of_a_cancelled_response_does_not_free_the_next() -> None:
    with book() as playbook:
        playbook >> CREATED
        playbook >> server.ResponseCancelled(response_id="r1")
        playbook >> tool("agent_status", "status_1") << Anything() << SPEAK
        playbook >> tool("agent_status", "status_2") << Anything()
        playbook >> DONE
        playbook >> server.ResponseCreated(response_id="r2")
        playbook >> server.ResponseDone(response_id="r2") << SPEAK


REFUSED = server.ServerError(
    message="Conversation already has an active response in progress: r1",
    code="conversation_already_has_active_response",
)


def test_a_request_that_is_refused_because_a_response_is_active_is_repeated_after_it() -> None:
    with book() as playbook:
        playbook >> tool("agent_status", "status_1") << Anything() << SPEAK
        playbook >> CREATED
        playbook >> REFUSED
        playbook >> DONE << SPEAK


def test_a_request_that_is_refused_for_a_response_that_is_over_is_repeated_at_once() -> None:
    with book() as playbook:
        playbook >> tool("agent_status", "status_1") << Anything() << SPEAK
        playbook >> CREATED
        playbook >> DONE
        playbook >> REFUSED << SPEAK


def test_news_whose_request_is_refused_waits_for_the_floor_again() -> None:
    with working() as playbook:
        playbook >> ended() << finished("call_1") << SPEAK
        playbook >> CREATED
        playbook >> REFUSED
        playbook >> server.InputSpeechStarted()
        playbook >> DONE
        playbook.advance(60.0)
        playbook >> server.InputSpeechStopped()
        playbook.advance(0.7) << SPEAK


def test_a_refusal_of_nothing_that_we_asked_for_asks_for_nothing() -> None:
    with book() as playbook:
        playbook >> REFUSED
        playbook.advance(60.0)


def test_a_response_that_never_ends_does_not_silence_the_voice() -> None:
    with book() as playbook:
        playbook >> CREATED
        playbook >> tool("agent_status", "status_1") << Anything()
        playbook.advance(DEADLINE_S) << shown(screen.Warned) << SPEAK


# Audio and barge-in.


def test_microphone_audio_is_sent_on() -> None:
    with book() as playbook:
        playbook >> events.AudioCaptured(duration_ms=20) << effects.SendAudio()


def test_speaking_over_the_voice_cuts_it_to_what_the_clock_says_was_heard() -> None:
    with book() as playbook:
        playbook >> events.AudioReceived(item_id="a", duration_ms=2000) << effects.PlayAudio(item_id="a")
        playbook.advance(0.5)
        playbook >> server.InputSpeechStarted(item_id="user_item") << effects.StopPlayback()
        playbook << effects.Send(intent=intents.Truncate(item_id="a", audio_end_ms=500))


def test_speaking_over_the_voice_cuts_it_to_what_the_player_says_was_heard() -> None:
    with book() as playbook:
        playbook >> events.AudioReceived(item_id="a", duration_ms=2000) << effects.PlayAudio(item_id="a")
        playbook.advance(0.5)
        playbook >> events.Played(item_id="a", total_ms=320)
        playbook >> server.InputSpeechStarted() << effects.StopPlayback()
        playbook << effects.Send(intent=intents.Truncate(item_id="a", audio_end_ms=320))


def test_nothing_is_truncated_at_0() -> None:
    with book() as playbook:
        playbook >> events.AudioReceived(item_id="a", duration_ms=2000) << effects.PlayAudio(item_id="a")
        playbook >> server.InputSpeechStarted() << effects.StopPlayback()


def test_late_audio_of_what_was_cut_off_is_not_played() -> None:
    with book() as playbook:
        playbook >> events.AudioReceived(item_id="a", duration_ms=2000) << effects.PlayAudio(item_id="a")
        playbook.advance(0.5)
        playbook >> server.InputSpeechStarted() << effects.StopPlayback() << sent(intents.Truncate)
        playbook >> events.AudioReceived(item_id="a", duration_ms=2000)
        playbook >> server.InputSpeechStarted()
        playbook >> events.AudioReceived(item_id="b", duration_ms=2000) << effects.PlayAudio(item_id="b")


def test_speaking_while_nothing_is_heard_truncates_nothing() -> None:
    with book() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> events.AudioReceived(item_id="a", duration_ms=100) << effects.PlayAudio(item_id="a")
        playbook.advance(0.2)
        playbook >> server.InputSpeechStarted()


# What is shown of speech.


def test_who_speaks_and_what_they_say_is_shown() -> None:
    with book(showing=True) as playbook:
        playbook >> server.InputSpeechStarted() << effects.Show(event=screen.SpeechStarted())
        playbook >> server.InputSpeechStopped() << effects.Show(event=screen.SpeechEnded())
        for event, seen in (
            (server.InputTranscriptDelta(delta="ru"), screen.TranscriptDelta(speaker="user", delta="ru")),
            (server.InputTranscriptDone(text="run"), screen.TranscriptDone(speaker="user", text="run")),
            (server.OutputTranscriptDelta(delta="o"), screen.TranscriptDelta(speaker="assistant", delta="o")),
            (server.OutputTranscriptDone(text="ok"), screen.TranscriptDone(speaker="assistant", text="ok")),
        ):
            playbook >> event << effects.Show(event=seen)


def test_speaking_again_begins_a_new_utterance() -> None:
    with book() as playbook:
        playbook >> server.InputTranscriptDelta(delta="hello")
        playbook >> server.InputSpeechStarted()
        playbook >> server.InputTranscriptDelta(delta="again")
        playbook >> CREATED
        playbook >> server.OutputTranscriptDelta(delta="hi")
        playbook >> server.ResponseCreated(response_id="r2")
        playbook >> server.OutputTranscriptDelta(delta="there")
        lines = "user: hello\nuser: again\nassistant: hi\nassistant: there"
        playbook >> handoff(text="")
        playbook << effects.StartTurn(turn_id="turn_1", text=render_delegation(lines, lines))


def test_a_cut_of_the_voice_is_shown() -> None:
    with book(showing=True) as playbook:
        playbook >> events.AudioReceived(item_id=None, duration_ms=2000) << effects.PlayAudio(item_id=None)
        playbook.advance(0.5)
        playbook >> server.InputSpeechStarted() << effects.StopPlayback()
        playbook << effects.Show(event=screen.PlaybackCut(item_id=None, heard_ms=500))
        playbook << effects.Show(event=screen.SpeechStarted())


# Typing.


def test_typed_text_is_mirrored_and_starts_a_task() -> None:
    with book() as playbook:
        playbook >> events.TextTyped(text="run the tests")
        playbook << effects.Send(intent=intents.MirrorTyped(text="run the tests"))
        playbook << effects.StartTurn(turn_id="turn_1", text="run the tests")
        playbook >> final("all passed") << reported("all passed", None, "final")
        playbook >> ended() << SPEAK


def test_typed_text_changes_the_running_task_and_asks_for_no_speech() -> None:
    with working() as playbook:
        playbook >> events.TextTyped(text="only core") << sent(intents.MirrorTyped)
        playbook << effects.SteerTurn(turn_id="turn_1", text="only core", by_voice=False)
        playbook.advance(10.0)


def test_typed_text_is_not_mirrored_where_that_is_not_wanted() -> None:
    with book(Options(mirror_typed_text=False)) as playbook:
        playbook >> events.TextTyped(text="run") << effects.StartTurn(turn_id="turn_1", text="run")


# Changes that did not arrive.


def test_a_change_that_the_agent_cannot_take_is_said_at_once() -> None:
    with working() as playbook:
        playbook >> events.SteerFailed(turn_id="turn_1", reason="it cannot") << reported("it cannot") << SPEAK


def test_a_change_that_came_too_late_is_the_next_task() -> None:
    with working() as playbook:
        playbook >> events.SteerMissed(turn_id="turn_1", text="only core", by_voice=True)
        playbook >> ended() << finished("call_1") << effects.StartTurn(turn_id="turn_2", text="only core") << SPEAK


# Errors.


def test_a_recoverable_error_is_a_warning_and_the_conversation_goes_on() -> None:
    with book(showing=True) as playbook:
        playbook >> server.ServerError(message="slow down", code="rate_limit_exceeded")
        playbook << effects.Show(event=screen.Warned(message="slow down"))
        playbook >> events.AudioCaptured(duration_ms=20) << effects.SendAudio()


@pytest.mark.parametrize("code", [None, "invalid_api_key"])
def test_any_other_error_ends_the_conversation(code: str | None) -> None:
    with book(showing=True) as playbook:
        playbook >> server.ServerError(message="over", code=code)
        playbook << effects.CloseTransport() << effects.Show(event=screen.ConversationFailed(message="over"))
        playbook << effects.BriefAgent(by_voice=False)
        playbook << effects.Show(event=screen.ConversationClosed(reason=screen.CloseReason.ERROR))


# Closing.


def closing_events() -> list[tuple[events.Event, screen.CloseReason]]:
    return [
        (events.StopRequested(), screen.CloseReason.REQUESTED),
        (events.TransportClosed(message="code 1000", code=1000), screen.CloseReason.TRANSPORT_CLOSED),
        (events.TransportFailed(message="reset", is_final=True), screen.CloseReason.ERROR),
        (server.ServerError(message="over"), screen.CloseReason.ERROR),
    ]


@pytest.mark.parametrize(("event", "reason"), closing_events())
def test_each_ending_closes_exactly_once_and_nothing_comes_after_it(
    event: events.Event, reason: screen.CloseReason
) -> None:
    conversation = Conversation(Options())
    playbook = Playbook(conversation)
    playbook >> OPENED
    playbook.skip() >> handoff()
    playbook.skip() >> tool("stop_agent", "stop_1")
    playbook.skip() >> event

    closed = [
        effect.event
        for effect in playbook.came
        if isinstance(effect, effects.Show) and isinstance(effect.event, screen.ConversationClosed)
    ]
    assert [each.reason for each in closed] == [reason]
    assert playbook.came[-1] == effects.Show(event=closed[0])
    assert playbook.timers == {}
    assert conversation.state is State.CLOSED
    for later, _ in closing_events():
        playbook.skip() >> later
        playbook.done()
    for later_event in (
        handoff("call_9"),
        ended(),
        events.TextTyped(text="x"),
        events.AudioCaptured(duration_ms=20),
        events.AudioReceived(item_id="a", duration_ms=20),
        events.TimerFired(name=STOP_TIMER),
        events.TimerFired(name="unheard of"),
    ):
        playbook >> later_event
    playbook.done()


def test_a_stop_answers_what_waits_and_then_closes_the_transport() -> None:
    with working() as playbook:
        playbook >> events.StopRequested() << finished("call_1", "ends") << effects.CloseTransport()
        playbook << effects.BriefAgent(by_voice=False)


def test_a_transport_that_was_closed_is_not_closed_again_and_its_word_is_shown() -> None:
    with book() as playbook:
        playbook >> events.TransportClosed(message="code 1000: bye", code=1000)
        (
            playbook
            << effects.BriefAgent(by_voice=False)
            << effects.Show(
                event=screen.ConversationClosed(reason=screen.CloseReason.TRANSPORT_CLOSED, detail="code 1000: bye")
            )
        )


def test_a_transport_that_broke_is_an_error() -> None:
    with book() as playbook:
        playbook >> events.TransportFailed(message="reset", is_final=True)
        playbook << effects.Show(event=screen.ConversationFailed(message="reset")) << effects.BriefAgent(by_voice=False)
        playbook << effects.Show(event=screen.ConversationClosed(reason=screen.CloseReason.ERROR))


def test_a_conversation_that_was_stopped_says_no_reason_but_the_request() -> None:
    with book() as playbook:
        playbook >> events.StopRequested() << effects.CloseTransport() << effects.BriefAgent(by_voice=False)
        playbook << effects.Show(event=screen.ConversationClosed(reason=screen.CloseReason.REQUESTED, detail=None))


def test_a_timer_that_nobody_set_is_a_bug() -> None:
    conversation = Conversation(Options())
    conversation.handle(OPENED, 1.0)

    with pytest.raises(LocalProtocolError, match="expected a timer that was set, got 'unheard of'"):
        conversation.handle(events.TimerFired(name="unheard of"), 2.0)


# What goes on.


def activity(
    *, working: bool = False, answering: bool = False, waiting: bool = False, speaking: bool = False
) -> Activity:
    return Activity(working=working, answering=answering, waiting=waiting, speaking=speaking)


def test_nothing_waits_unless_it_is_said() -> None:
    assert Activity(working=False, answering=False, speaking=False).at_rest


def test_at_first_nothing_goes_on() -> None:
    now = Conversation(Options()).activity(0.0)

    assert now == activity()
    assert now.at_rest


def test_a_task_a_response_and_speech_are_activity() -> None:
    conversation = Conversation(Options())
    conversation.handle(OPENED, 1.0)

    conversation.handle(handoff(), 1.0)
    assert conversation.activity(1.0) == activity(working=True)
    conversation.handle(CREATED, 1.0)
    assert conversation.activity(1.0) == activity(working=True, answering=True)
    conversation.handle(DONE, 1.0)
    conversation.handle(server.InputSpeechStarted(), 1.0)
    assert conversation.activity(1.0) == activity(working=True, speaking=True)
    conversation.handle(server.InputSpeechStopped(), 1.0)
    conversation.handle(ended(), 1.0)
    assert conversation.activity(1.0) == activity(waiting=True)
    assert not conversation.activity(1.0).at_rest
    conversation.handle(events.TimerFired(name=FLOOR_TIMER), 1.7)
    conversation.handle(DONE, 1.8)
    conversation.handle(events.AudioReceived(item_id="a", duration_ms=500), 2.0)
    assert conversation.activity(2.4) == activity(answering=True, speaking=True)


def test_audio_is_speech_until_it_was_heard() -> None:
    conversation = Conversation(Options())
    conversation.handle(OPENED, 1.0)
    conversation.handle(events.AudioReceived(item_id="a", duration_ms=500), 2.0)

    assert conversation.activity(2.4) == activity(speaking=True)
    assert conversation.activity(2.5).at_rest


@pytest.mark.parametrize("busy", ["working", "answering", "waiting", "speaking"])
def test_any_activity_is_no_rest(busy: str) -> None:
    assert not activity(
        working=busy == "working",
        answering=busy == "answering",
        waiting=busy == "waiting",
        speaking=busy == "speaking",
    ).at_rest


def test_the_status_can_be_asked_for_without_a_call() -> None:
    assert Conversation(Options()).status(1.0).startswith("No task is running")
