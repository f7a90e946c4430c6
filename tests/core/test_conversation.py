"""The conversation as it is written in the design: one test for each rule."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from backchannel.core import (
    Activity,
    AgentApprovalRequested,
    AgentApprovalWithdrawn,
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    AgentMessageDelta,
    AgentMessageDropped,
    AgentThought,
    AgentThoughtDelta,
    AgentTurnEnded,
    Conversation,
    Options,
    Outcome,
    Phase,
    Risk,
    Speech,
    State,
    effects,
    events,
    render_delegation,
    screen,
)
from backchannel.core.conversation import FAILED_PAUSE_S, FLOOR_TIMER, HEARTBEAT_TIMER, MUTE_TAIL_S, PROGRESS_TIMER
from backchannel.core.delegation import render_tail
from backchannel.core.handoff import STOP_DEADLINE_S
from backchannel.core.handoff import TIMER as STOP_TIMER
from backchannel.core.link import RETRY_TIMER, ROTATION_TIMER
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


ASKS = AgentApprovalRequested(turn_id="turn_1", approval_id="a1", action="run git push")
YES = server.InputTranscriptDone(text="yes, go ahead")

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


def test_of_a_response_that_failed_nothing_was_heard() -> None:
    warned = effects.Show(event=screen.Warned(message="the voice could not answer: Too busy."))
    with working(Options(speech=Speech.RESULTS)) as playbook:
        playbook >> final("done") << reported("done", phase="final")
        playbook >> ended() << finished("call_1") << SPEAK
        playbook >> CREATED
        playbook >> server.ResponseDone(response_id="r1", failure="Too busy.")
        assert warned in playbook.came
        playbook.advance(FAILED_PAUSE_S - 0.1)
        playbook.advance(0.2) << Anything() << SPEAK


def test_a_response_that_fails_each_time_is_not_asked_for_for_ever() -> None:
    with working(Options(speech=Speech.RESULTS)) as playbook:
        playbook >> final("done") << reported("done", phase="final")
        playbook >> ended() << finished("call_1") << SPEAK
        for response_id in ("r1", "r2", "r3"):
            playbook >> server.ResponseCreated(response_id=response_id)
            playbook >> server.ResponseDone(response_id=response_id, failure="Too busy.")
            playbook.advance(FAILED_PAUSE_S)
            assert (SPEAK in playbook.came) is (response_id != "r3")
            playbook.skip()


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


@pytest.mark.parametrize("how", ["stopped", "closed", "failed", "replaced"])
def test_a_client_can_have_the_end_of_what_was_said_told_to_the_agent(how: str) -> None:
    with book(Options(hands_over_tail=True)) as playbook:
        playbook >> handoff() << Anything()
        playbook >> server.InputTranscriptDone(text="thanks") >> server.OutputTranscriptDone(text="bye")
        told = effects.BriefAgent(by_voice=False, tail=render_tail("user: thanks\nassistant: bye"))
        match how:
            case "stopped":
                playbook >> events.StopRequested() << finished("call_1") << effects.CloseTransport() << told
            case "closed":
                playbook >> events.TransportClosed(message="bye", code=1000) << told
            case "failed":
                playbook >> events.TransportFailed(message="broken", is_final=True) << told
            case _:
                playbook >> events.ReplacementRequested(options=Options())
                playbook << effects.OpenTransport(replaces=True)
                playbook >> OPENED << finished("call_1") << told << effects.TakeTransport() << effects.Configure()
                playbook << effects.BriefAgent(by_voice=True)


def test_the_agent_is_told_of_no_end_that_says_nothing() -> None:
    with book(Options(hands_over_tail=True)) as playbook:
        playbook >> events.StopRequested() << effects.CloseTransport() << effects.BriefAgent(by_voice=False)


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


# Losing the way, and finding it again.

LOST = events.TransportFailed(message="reset")


def reconnecting(attempt: int, delay_s: float, message: str = "reset") -> effects.Effect:
    return effects.Show(event=screen.ConversationReconnecting(attempt=attempt, delay_s=delay_s, message=message))


def told(contains: str) -> Matcher:
    return sent(intents.AddText, lambda text: text.role == "developer" and contains in text.text)


BACK = effects.Show(event=screen.ConversationReconnected(state_restored=True))


def test_a_lost_conversation_goes_on_in_a_session_that_knows_what_was_said() -> None:
    with book() as playbook:
        playbook >> server.InputTranscriptDone(text="hello")
        playbook >> LOST << reconnecting(1, 0.2)
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << told("user: hello") << BACK


def test_where_nothing_was_said_there_is_nothing_to_tell() -> None:
    with book() as playbook:
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure()


def test_what_is_typed_meanwhile_starts_at_once_and_is_told_afterwards() -> None:
    with book() as playbook:
        playbook >> LOST
        playbook >> events.TextTyped(text="run it") << effects.StartTurn(turn_id="turn_1", text="run it")
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << told("A task was handed over")
        playbook << effects.Send(intent=intents.MirrorTyped(text="run it"))


def test_what_was_not_sent_any_more_is_said_in_the_next_session() -> None:
    unsent = (intents.MirrorTyped(text="run it"), intents.RequestResponse())
    with book() as playbook:
        playbook >> events.TransportClosed(message="code 1011", code=1011, unsent=unsent)
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure()
        playbook << effects.Send(intent=intents.MirrorTyped(text="run it"))


def test_the_call_of_a_lost_session_is_void_and_its_result_is_news_in_the_next() -> None:
    with working() as playbook:
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << told("A task was handed over")
        playbook >> final("all passed") << reported("all passed", None, "final")
        playbook >> ended()
        playbook.advance(0.7) << SPEAK


def test_a_result_that_was_not_heard_before_the_loss_is_told_and_said_again() -> None:
    with working() as playbook:
        playbook >> final("all passed\n\ndetails") << reported("all passed\n\ndetails", phase="final")
        playbook >> ended() << finished("call_1") << SPEAK
        playbook >> CREATED
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << told("agent: all passed")
        playbook.advance(0.7) << reported("all passed", None, "final") << SPEAK


def test_of_the_microphone_it_is_said_once_in_each_outage_that_nobody_hears_it() -> None:
    with book(showing=True) as playbook:
        for n in range(2):
            playbook >> LOST
            playbook.skip() >> events.AudioCaptured(duration_ms=20)
            playbook << shown(screen.Warned, lambda it: "not heard" in it.message)
            playbook >> events.AudioCaptured(duration_ms=20)
            playbook.advance(1.0 + n)
            playbook.skip() >> OPENED
            playbook.skip() >> events.AudioCaptured(duration_ms=20) << effects.SendAudio()


def test_audio_that_has_arrived_is_heard_to_its_end_and_nothing_is_told_of_it() -> None:
    with book() as playbook:
        playbook >> events.AudioReceived(item_id="a", duration_ms=5000) << effects.PlayAudio(item_id="a")
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure()
        playbook.advance(1.0)
        playbook >> server.InputSpeechStarted() << effects.StopPlayback()


def test_a_session_that_outlives_its_way_goes_on_with_what_was_not_sent() -> None:
    answer = intents.FinishHandoff(handoff_id="call_1", output="done")
    with book(Options(session_outlives_way=True)) as playbook:
        playbook >> events.TransportFailed(message="reset", unsent=(answer,))
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Send(intent=answer)


@pytest.mark.parametrize("tells_speech", [True, False])
def test_a_user_who_fell_silent_while_there_was_no_way_does_not_keep_the_voice_from_speaking(
    *, tells_speech: bool
) -> None:
    conversation = Conversation(Options(session_outlives_way=True, tells_speech=tells_speech))
    conversation.handle(OPENED, 1.0)
    conversation.handle(server.InputSpeechStarted(), 2.0)
    conversation.handle(LOST, 3.0)
    conversation.handle(events.TimerFired(name=RETRY_TIMER), 4.0)
    conversation.handle(OPENED, 5.0)

    # Where speech is not told, only words tell of it: those that are on their way come yet.
    assert conversation.activity(9.0).speaking is not tells_speech


def test_a_conversation_that_cannot_be_had_again_ends_with_one_error() -> None:
    with book() as playbook:
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> events.OpenFailed(message="refused", is_final=True)
        playbook << shown(screen.ConversationFailed, lambda it: it.message == "refused" and not it.went_on)
        playbook << effects.BriefAgent(by_voice=False)
        playbook << shown(screen.ConversationClosed, lambda it: it.reason is screen.CloseReason.ERROR)


def test_a_try_that_fails_is_followed_by_another() -> None:
    with book() as playbook:
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> events.OpenFailed(message="busy") << reconnecting(2, 0.4, "busy")
        playbook.advance(0.4) << effects.OpenTransport()


@pytest.mark.parametrize("code", ["session_expired", "session_connection_lost"])
def test_a_session_that_is_over_is_followed_by_another(code: str) -> None:
    with book() as playbook:
        playbook >> server.ServerError(message="60 minutes", code=code) << reconnecting(1, 0.2, "60 minutes")
        playbook >> events.TransportClosed(message="code 1000", code=1000)
        playbook.advance(0.2) << effects.OpenTransport()


def test_an_error_that_spoils_nothing_is_told_and_changes_nothing() -> None:
    with book(showing=True) as playbook:
        warned = effects.Show(event=screen.Warned(message="no such item"))
        playbook >> server.ServerError(message="no such item", code="item_not_found") << warned
        playbook >> events.TextTyped(text=" \n")
        playbook.skip()


def test_where_every_error_is_fatal_none_is_survived() -> None:
    with book(Options(fatal_errors=True)) as playbook:
        playbook >> server.ServerError(message="slow down", code="rate_limit_exceeded") << effects.CloseTransport()
        playbook << effects.BriefAgent(by_voice=False)


def test_a_stop_while_there_is_no_way_says_nothing_to_anybody() -> None:
    with book(Options(session_outlives_way=True)) as playbook:
        playbook >> handoff() << Anything()
        playbook >> LOST
        playbook >> events.StopRequested() << effects.CloseTransport() << effects.BriefAgent(by_voice=False)


def test_the_bounds_are_these() -> None:
    assert (MUTE_TAIL_S, FAILED_PAUSE_S) == (1.0, 5.0)


def test_at_the_very_beginning_nothing_keeps_the_voice_from_speaking() -> None:
    with Playbook(Conversation(Options(speech=Speech.RESULTS)), showing=False, timing=False) as playbook:
        playbook >> OPENED
        playbook.skip() >> AgentMessage(turn_id="turn_9", text="done", phase=Phase.FINAL)
        playbook.skip().advance(0.69)
        playbook.advance(0.02) << SPEAK


@pytest.mark.parametrize("event", [tool("agent_status", "s1"), progress("half"), ASKS])
def test_whatever_is_heard_of_a_task_ends_its_silence(event: events.Event) -> None:
    with working() as playbook:
        playbook.advance(15.0)
        playbook >> event
        playbook.skip()
        assert playbook.timers[HEARTBEAT_TIMER] == playbook.now + 20.0


def test_an_answer_at_once_says_all_that_waits() -> None:
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> progress("a") << reported("a")
        playbook >> tool("agent_status", "s1") << Anything() << SPEAK
        playbook >> server.InputSpeechStopped()
        playbook >> CREATED
        playbook >> DONE
        playbook.advance(10.0)


def test_once_less_speech_is_chosen_progress_is_not_spoken_like_results() -> None:
    with book(Options(speech=Speech.IMMEDIATE)) as playbook:
        playbook >> events.TextTyped(text="run it")
        playbook.skip() >> events.UpdatesChosen(level=Speech.RESULTS)
        playbook >> progress("half") << reported("half", handoff_id=None)
        playbook.advance(5.0)


def test_what_was_cut_off_is_told_again_as_news_of_no_call() -> None:
    with working(Options(speech=Speech.RESULTS)) as playbook:
        playbook >> final("done") << reported("done", phase="final")
        playbook >> ended() << finished("call_1") << SPEAK
        playbook >> CREATED
        playbook >> handoff("call_2", "run the linter") << Anything()
        playbook >> server.InputSpeechStarted()
        playbook >> DONE
        playbook >> server.InputSpeechStopped()
        playbook.advance(1.0) << reported("done", handoff_id=None, phase="final") << SPEAK


def test_what_a_lost_session_was_answering_is_over() -> None:
    conversation = Conversation(Options())
    conversation.handle(OPENED, 1.0)
    conversation.handle(CREATED, 1.0)
    assert conversation.activity(1.0).answering
    conversation.handle(LOST, 1.0)

    assert not conversation.activity(1.0).answering


def test_what_the_voice_was_answering_in_a_rotated_session_keeps_it_from_nothing() -> None:
    with book(Options(rotate_after_s=60.0)) as playbook:
        playbook.advance(60.0) << effects.OpenTransport()
        playbook >> CREATED
        playbook >> OPENED << effects.TakeTransport() << effects.Configure()
        playbook >> tool("agent_status", "s1") << Anything() << SPEAK


def test_what_waited_in_a_rotated_session_is_told_again_in_the_next() -> None:
    with working(Options(rotate_after_s=60.0, speech=Speech.RESULTS)) as playbook:
        playbook.advance(60.0) << effects.OpenTransport()
        playbook >> server.InputSpeechStarted()
        playbook >> final("done") << reported("done", phase="final")
        playbook >> ended() << finished("call_1")
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << Anything()
        playbook.advance(0.7) << reported("done", handoff_id=None, phase="final") << SPEAK


def test_a_failure_that_is_final_ends_it_also_while_there_is_no_way() -> None:
    with book() as playbook:
        playbook >> LOST
        playbook >> events.TransportFailed(message="a bug", is_final=True) << effects.BriefAgent(by_voice=False)
        assert shown(screen.ConversationClosed).matches(playbook.came[-1])


def test_what_was_typed_is_remembered_and_what_a_client_adds_only_of_the_user() -> None:
    with book() as playbook:
        playbook >> events.TextTyped(text="run it")
        playbook.skip() >> events.TextTyped(text=" ")
        playbook.skip() >> events.TextAppended(text="by the way", role="user")
        playbook.skip() >> events.TextAppended(text=" ", role="user")
        playbook.skip() >> events.TextAppended(text="be quick", role="developer")
        playbook.skip() >> LOST
        playbook.skip().advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure()
        (account,) = [
            effect.intent.text
            for effect in playbook.came
            if isinstance(effect, effects.Send) and isinstance(effect.intent, intents.AddText)
        ]
        playbook.skip()
        assert account.count("user (typed): ") == 2, account
        assert "user (typed): run it" in account
        assert "user (typed): by the way" in account
        assert "be quick" not in account


def test_an_agent_that_says_nothing_breaks_no_silence() -> None:
    with working() as playbook:
        due = playbook.timers[HEARTBEAT_TIMER]
        playbook.advance(10.0)
        playbook >> progress(" ")
        assert playbook.timers[HEARTBEAT_TIMER] == due


def test_what_waited_too_long_is_not_said() -> None:
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> progress("a") << reported("a")
        playbook.advance(21.0)
        playbook.skip() >> server.InputSpeechStopped()
        playbook.advance(1.0)
        assert SPEAK not in playbook.came
        playbook.skip()


def test_progress_that_is_held_goes_out_before_the_end() -> None:
    with working(Options(speech=Speech.SILENT)) as playbook:
        playbook >> progress("a") << reported("a")
        playbook >> progress("b")
        playbook >> events.StopRequested() << reported("b") << finished("call_1", "ends") << effects.CloseTransport()
        playbook << effects.BriefAgent(by_voice=False)


def test_a_conversation_tells_whether_it_is_live_and_whether_it_is_over() -> None:
    conversation = Conversation(Options())
    told = [(conversation.is_live, conversation.is_over)]
    for event in (OPENED, LOST, events.StopRequested()):
        conversation.handle(event, 1.0)
        told.append((conversation.is_live, conversation.is_over))

    assert told == [(False, False), (True, False), (False, False), (False, True)]


# Rotating, and making room for another conversation.


def test_a_rotation_answers_what_waits_and_restores_what_is_known() -> None:
    conversation = Conversation(Options(rotate_after_s=10.0, speech=Speech.SILENT))
    with Playbook(conversation, showing=False, timing=False) as playbook:
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << effects.BriefAgent(by_voice=True)
        playbook >> handoff() << Anything()
        playbook >> server.ResponseCreated(response_id="r9")
        playbook.advance(10.5)
        playbook >> server.ResponseDone(response_id="r9")
        playbook.advance(1.2) << effects.OpenTransport()
        playbook >> OPENED << finished("call_1", "ends") << effects.TakeTransport() << effects.Configure()
        playbook << told("A task was handed over")
        playbook >> final("all passed") << reported("all passed", None, "final")


def test_another_conversation_takes_the_place() -> None:
    with working() as playbook:
        playbook >> events.ReplacementRequested(options=Options(speech=Speech.SILENT))
        playbook << effects.OpenTransport(replaces=True)
        playbook >> OPENED << finished("call_1", "ends")
        playbook << shown(screen.ConversationClosed, lambda it: it.replaced)
        playbook << effects.BriefAgent(by_voice=False) << effects.TakeTransport() << effects.Configure()
        playbook << shown(screen.ConversationStarted) << effects.BriefAgent(by_voice=True)
        playbook >> final("all passed") << reported("all passed", None, "final")
        playbook >> ended()
        playbook.advance(5.0)


def test_another_conversation_takes_the_place_of_one_that_has_lost_its_way() -> None:
    conversation = Conversation(Options())
    playbook = Playbook(conversation)
    playbook >> OPENED
    playbook.skip() >> handoff()
    playbook.skip() >> LOST
    playbook.skip() >> events.ReplacementRequested(options=Options(quiet_ms=5))
    playbook.skip() >> OPENED
    assert not any(isinstance(effect, effects.Send) for effect in playbook.came[-12:])
    playbook.skip().done()
    assert conversation.options == Options(quiet_ms=5)
    assert conversation.state is State.LIVE


def test_another_conversation_that_cannot_start_is_one_error_and_this_one_goes_on() -> None:
    with book() as playbook:
        playbook >> events.ReplacementRequested(options=Options()) << effects.OpenTransport(replaces=True)
        failed = screen.ConversationFailed(message="refused", went_on=True)
        playbook >> events.OpenFailed(message="refused", is_final=True) << effects.Show(event=failed)
        playbook >> events.AudioCaptured(duration_ms=20) << effects.SendAudio()


def test_where_there_is_no_conversation_none_is_replaced() -> None:
    with pytest.raises(LocalProtocolError, match="expected a running conversation to replace"):
        Conversation(Options()).handle(events.ReplacementRequested(options=Options()), 0.0)


def test_its_states_have_names() -> None:
    conversation = Conversation(Options(mirror_typed_text=False))
    assert conversation.task is None
    seen = [conversation.state]
    for event in (OPENED, LOST, events.TimerFired(name="retry"), events.StopRequested()):
        conversation.handle(event, 5.0)
        seen.append(conversation.state)

    assert seen == [State.CONNECTING, State.LIVE, State.RECONNECTING, State.RECONNECTING, State.CLOSED]
    assert not conversation.options.mirror_typed_text


def test_an_outage_is_no_rest() -> None:
    conversation = Conversation(Options())
    conversation.handle(OPENED, 1.0)
    conversation.handle(LOST, 2.0)

    assert conversation.activity(2.0).reconnecting
    assert not conversation.activity(2.0).at_rest


# The microphone switched off.


def test_of_a_muted_microphone_silence_is_sent_for_a_moment_and_then_nothing() -> None:
    with book(showing=True) as playbook:
        playbook >> events.MuteChanged(muted=True) << effects.Show(event=screen.Muted(muted=True))
        playbook >> events.AudioCaptured(duration_ms=20) << effects.SendSilence()
        playbook.advance(MUTE_TAIL_S - 0.01)
        playbook >> events.AudioCaptured(duration_ms=20) << effects.SendSilence()
        playbook.advance(0.01)
        playbook >> events.AudioCaptured(duration_ms=20)
        playbook >> events.MuteChanged(muted=True)
        playbook >> events.MuteChanged(muted=False) << effects.Show(event=screen.Muted(muted=False))
        playbook >> events.AudioCaptured(duration_ms=20) << effects.SendAudio()


def test_a_user_who_is_muted_does_not_speak() -> None:
    with answered() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> events.MuteChanged(muted=True)
        playbook.advance(0.7) << SPEAK


def test_a_microphone_stays_muted_across_an_outage() -> None:
    conversation = Conversation(Options())
    conversation.handle(OPENED, 1.0)
    conversation.handle(events.MuteChanged(muted=True), 1.0)
    conversation.handle(LOST, 2.0)

    assert conversation.is_muted
    assert conversation.handle(events.AudioCaptured(duration_ms=20), 2.0) == [], "nothing is missed of it"


# What a client adds.


@pytest.mark.parametrize("role", ["user", "developer", "assistant"])
def test_a_text_is_added_and_asks_for_nothing(role: intents.Role) -> None:
    with book() as playbook:
        playbook >> events.TextAppended(text="by the way", role=role)
        playbook << effects.Send(intent=intents.AddText(role=role, text="by the way"))
        playbook.advance(10.0)


def test_what_a_client_adds_for_the_user_is_remembered() -> None:
    with book() as playbook:
        playbook >> events.TextAppended(text="by the way") << Anything()
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << told("user (typed): by the way")


def test_a_client_lets_the_voice_say_something() -> None:
    said = effects.Send(intent=intents.SpeakText(text="the build is done"))
    with book() as playbook:
        playbook >> events.SpeechAppended(text="the build is done") << said << SPEAK
        playbook >> events.SpeechAppended(text=" ")
    with book(Options(creates_responses=False)) as playbook:
        playbook >> events.SpeechAppended(text="the build is done") << said


def test_other_instructions_hold_in_the_next_session_too() -> None:
    changed = effects.Send(intent=intents.ChangeInstructions(instructions="Be loud."))
    with book() as playbook:
        playbook >> events.InstructionsChanged(instructions="Be loud.") << changed
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << changed


def test_instructions_that_come_during_an_outage_are_given_afterwards() -> None:
    with book() as playbook:
        playbook >> LOST
        playbook >> events.InstructionsChanged(instructions="Be loud.")
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure()
        playbook << effects.Send(intent=intents.ChangeInstructions(instructions="Be loud."))


# How much is said unasked.


@pytest.mark.parametrize("level", ["silent", "results", "milestones", "chatty"])
def test_the_voice_may_change_how_much_it_says(level: str) -> None:
    call = server.ToolCalled(call_id="c", item_id="i", name="set_updates", arguments=f'{{"level":"{level}"}}')
    with book(Options(speech=Speech.SILENT if level != "silent" else Speech.CHATTY)) as playbook:
        playbook >> call << effects.Show(event=screen.UpdatesSet(level=level))
        playbook << sent(intents.AnswerCall, lambda answer: level in answer.output) << SPEAK


@pytest.mark.parametrize("arguments", ["{", "{}", '{"level":"immediate"}', '{"level":5}', '{"level":"\ud800"}'])
def test_a_level_that_there_is_not_is_answered_with_those_that_there_are(arguments: str) -> None:
    call = server.ToolCalled(call_id="c", item_id="i", name="set_updates", arguments=arguments)
    with book(showing=True) as playbook:
        playbook >> call << sent(intents.AnswerCall, lambda answer: "silent, results" in answer.output) << SPEAK


def test_the_level_is_chosen_by_hand_too() -> None:
    with book(showing=True) as playbook:
        playbook >> events.UpdatesChosen(level=Speech.SILENT) << effects.Show(event=screen.UpdatesSet(level="silent"))
        playbook >> events.UpdatesChosen(level=Speech.SILENT)


def test_a_job_that_is_silent_for_long_is_heard_of() -> None:
    with working() as playbook:
        playbook.advance(20.0) << sent(
            intents.ReportProgress, lambda report: "Still working on “run the tests”" in report.text
        )
        playbook << SPEAK


def test_a_timer_that_is_early_brings_no_heartbeat() -> None:
    with working() as playbook:
        playbook >> events.TimerFired(name=HEARTBEAT_TIMER)
        playbook >> events.TimerFired(name=PROGRESS_TIMER)


def test_progress_reaches_the_voice_once_a_second() -> None:
    with working(Options(speech=Speech.SILENT)) as playbook:
        playbook >> progress("a") << reported("a")
        playbook >> progress("b")
        playbook >> progress("c")
        playbook.advance(1.0) << reported("b\n\nc")


def test_a_result_that_is_cut_off_is_offered_again() -> None:
    with working() as playbook:
        playbook >> final("all passed") << reported("all passed", phase="final")
        playbook >> ended() << finished("call_1") << SPEAK
        playbook >> CREATED
        playbook >> events.AudioReceived(item_id="a", duration_ms=3000) << effects.PlayAudio(item_id="a")
        playbook.advance(1.0)
        playbook >> server.InputSpeechStarted() << effects.StopPlayback() << sent(intents.Truncate)
        playbook >> server.ResponseCancelled(response_id="r1")
        playbook >> server.InputSpeechStopped()
        playbook.advance(0.7) << reported("all passed", None, "final") << SPEAK


def test_a_result_that_was_heard_is_not_offered_again() -> None:
    with working() as playbook:
        playbook >> ended() << finished("call_1") << SPEAK
        playbook >> CREATED
        playbook >> events.AudioReceived(item_id="a", duration_ms=1000) << effects.PlayAudio(item_id="a")
        playbook >> DONE
        playbook.advance(1.0)
        playbook >> server.InputSpeechStarted()
        playbook >> server.InputSpeechStopped()
        playbook.advance(10.0)


def test_a_server_that_wants_to_be_left_alone_is_asked_again_later() -> None:
    with working() as playbook:
        playbook >> ended() << finished("call_1") << SPEAK
        playbook >> server.ServerError(message="slow down", code="rate_limit_exceeded")
        playbook.advance(4.9)
        playbook.advance(0.2) << SPEAK


# Dialects whose texts say whether they may be spoken.


def test_what_may_be_spoken_is_said_when_the_floor_is_free() -> None:
    with book(Options(creates_responses=False, speaks_by_channel=True)) as playbook:
        playbook >> handoff() << Anything()
        playbook >> server.InputSpeechStarted()
        playbook >> final("all passed\n\ndetails")
        report = intents.ReportProgress(
            handoff_id="call_1", text="all passed\n\ndetails", phase="final", channel="commentary"
        )
        playbook << effects.Send(intent=report)
        playbook >> ended() << finished("call_1")
        playbook >> server.InputSpeechStopped()
        playbook.advance(0.7) << effects.Send(intent=intents.SpeakText(text="all passed"))


def test_where_a_server_does_not_tell_when_the_user_speaks_the_words_do() -> None:
    options = Options(creates_responses=False, speaks_by_channel=True, tells_speech=False)
    with book(options) as playbook:
        playbook >> handoff() << Anything()
        playbook >> server.InputTranscriptDelta(delta="so")
        playbook >> ended() << finished("call_1")
        playbook.advance(5.0)
        playbook >> server.InputTranscriptDone(text="so what")
        playbook.advance(0.7) << sent(intents.SpeakText)


# Dialects in which a message is passed on while it is being written.

STREAMING = Options(
    speech=Speech.IMMEDIATE, creates_responses=False, speaks_by_channel=True, streams_reports=True, tells_speech=False
)


def writes(delta: str, turn_id: str = "turn_1") -> AgentMessageDelta:
    return AgentMessageDelta(turn_id=turn_id, delta=delta)


def test_what_the_agent_writes_is_passed_on_while_it_writes() -> None:
    with book(STREAMING) as playbook:
        playbook >> handoff() << Anything()
        playbook >> writes("All ")
        playbook >> writes("pass")
        playbook.advance(0.2) << reported("All pass", phase=None)
        playbook >> writes("ed.")
        playbook >> final("All passed.") << reported("ed.", phase=None)
        playbook >> writes("One")
        playbook >> final("One") << reported("One", phase="final")
        playbook >> ended() << finished("call_1")


def test_what_is_written_for_nobody_who_waits_is_passed_on_whole() -> None:
    for options in (
        msgspec.structs.replace(STREAMING, speech=Speech.MILESTONES),
        msgspec.structs.replace(STREAMING, streams_reports=False),
        msgspec.structs.replace(STREAMING, reports_as_items=True),
        msgspec.structs.replace(STREAMING, client_managed_handoffs=True),
    ):
        with book(options) as playbook:
            playbook >> handoff() << Anything()
            playbook >> writes("All")
            playbook.advance(1.0)
            playbook.skip()
    with book(STREAMING) as playbook:
        playbook >> events.TextTyped(text="run it")
        playbook.skip()
        playbook >> writes("All")
        playbook.advance(1.0)
        playbook >> final("All passed.") << reported("All passed.", handoff_id=None, phase="final")
        playbook.skip()


def test_a_piece_is_held_back_when_another_delegation_has_taken_its_place() -> None:
    with book(msgspec.structs.replace(STREAMING, replaces_active_handoff=True)) as playbook:
        playbook >> handoff() << Anything()
        playbook >> writes("All ")
        playbook >> handoff("call_2", "only core")
        playbook.skip().advance(1.0)
        playbook >> writes("pass")
        playbook.advance(1.0)
        playbook >> final("All pass") << reported("All pass", handoff_id="call_2", phase="final")


THINKING = Options(speaks_by_channel=True, tells_thoughts=True)
THOUGHT = AgentThought(turn_id="turn_1", parts=("**Looking**", "Found."))


@pytest.mark.parametrize("speech", Speech)
def test_a_client_can_have_the_voice_know_what_the_agent_thinks(speech: Speech) -> None:
    with book(msgspec.structs.replace(THINKING, speech=speech), showing=True) as playbook:
        playbook >> handoff()
        playbook.skip()
        playbook >> AgentThoughtDelta(turn_id="turn_1", delta="**Lo") << shown(AgentThoughtDelta)
        status = intents.ReportProgress(
            handoff_id="call_1", text="[STATUS] **Looking**\n\nFound.", channel="commentary"
        )
        playbook >> THOUGHT << effects.Show(event=THOUGHT) << effects.Send(intent=status)


@pytest.mark.parametrize(
    "options",
    [
        msgspec.structs.replace(THINKING, tells_thoughts=False),
        msgspec.structs.replace(THINKING, speaks_by_channel=False),
        msgspec.structs.replace(THINKING, client_managed_handoffs=True),
    ],
)
def test_a_voice_that_cannot_be_told_silently_or_not_by_us_is_not_told_of_thoughts(options: Options) -> None:
    with book(options) as playbook:
        playbook >> handoff()
        playbook.skip()
        playbook >> THOUGHT


def test_no_delegation_is_told_of_thoughts_that_are_not_its_own() -> None:
    with book(THINKING) as playbook:
        playbook >> THOUGHT
        playbook >> handoff()
        playbook.skip()
        playbook >> AgentThought(turn_id="turn_9", parts=("Other work.",))
        playbook >> AgentThought(turn_id="turn_1", parts=())
        playbook >> events.TaskStopRequested()
        playbook.skip()
        playbook >> THOUGHT
    with book(THINKING) as playbook:
        playbook >> events.TextTyped(text="run it")
        playbook.skip()
        playbook >> THOUGHT


def test_a_message_that_is_dropped_is_not_gone_on_with() -> None:
    with book(STREAMING) as playbook:
        playbook >> handoff() << Anything()
        playbook >> writes("All pa")
        playbook.advance(0.2) << reported("All pa", phase=None)
        playbook >> writes("ss")
        playbook >> AgentMessageDropped(turn_id="turn_1")
        playbook.advance(1.0)
        playbook >> final("None.") << reported("None.", phase="final")
        playbook >> writes("More")
        playbook >> ended() << finished("call_1")
        playbook.advance(1.0)


def test_a_message_whose_session_is_lost_is_news_whole_in_the_next_one() -> None:
    with book(STREAMING) as playbook:
        playbook >> handoff() << Anything()
        playbook >> writes("All ")
        playbook.advance(0.2) << reported("All ", phase=None)
        playbook >> LOST
        playbook.skip().advance(0.3) << effects.OpenTransport()
        playbook >> OPENED
        playbook.skip()
        playbook >> writes("passed.")
        playbook.advance(1.0)
        playbook >> final("All passed.") << reported("All passed.", handoff_id=None, phase="final")
        playbook.skip()


def test_a_message_that_says_itself_whether_it_may_be_spoken_is_passed_on_when_it_has() -> None:
    options = msgspec.structs.replace(STREAMING, report_tags={"analysis": ("[ANALYSIS]",)})
    with book(options) as playbook:
        playbook >> handoff() << Anything()
        playbook >> writes("[ANA")
        playbook.advance(1.0)
        playbook >> writes("LYSIS] hm")
        for text in ("[ANALYSIS] hm", "."):
            intent = intents.ReportProgress(handoff_id="call_1", text=text, channel="commentary")
            if text == ".":
                playbook >> final("[ANALYSIS] hm.") << effects.Send(intent=intent)
            else:
                playbook.advance(0.01) << effects.Send(intent=intent)


# Dialects without whole utterances, and delegations without words.

LIVE = Options(
    creates_responses=False,
    speaks_by_channel=True,
    names_requests=False,
    completes_transcripts=False,
    tells_speech=False,
    replaces_active_handoff=True,
)


def test_pieces_are_whole_when_the_other_one_speaks_or_nobody_does() -> None:
    with book(LIVE) as playbook:
        playbook >> server.InputTranscriptDelta(delta="run ")
        playbook >> server.InputTranscriptDelta(delta="it")
        playbook >> server.OutputTranscriptDelta(delta="On it.")
        playbook << effects.Show(event=screen.TranscriptDone(speaker="user", text="run it"))
        playbook.advance(1.5) << effects.Show(event=screen.TranscriptDone(speaker="assistant", text="On it."))


def test_when_a_piece_is_whole_the_floor_is_free_and_the_next_piece_is_another_utterance() -> None:
    with book(LIVE) as playbook:
        playbook >> handoff() << Anything()
        playbook >> server.InputTranscriptDelta(delta="one", item_id=None)
        playbook >> progress("half") << Anything()
        playbook.advance(1.49)
        playbook.advance(0.02)
        playbook.advance(0.68)
        playbook.advance(0.02) << sent(intents.SpeakText)
        playbook >> server.InputTranscriptDelta(delta="two", item_id=None)
        playbook.advance(2.0)
        playbook >> handoff("call_2", "three")
        assert any("user: one\nuser: two" in getattr(effect, "text", "") for effect in playbook.came)
        playbook.skip()


def test_news_waits_until_the_voice_has_said_its_say() -> None:
    with book(LIVE) as playbook:
        playbook >> handoff() << Anything()
        playbook >> server.OutputTranscriptDelta(delta="Well")
        playbook.advance(1.6)
        playbook >> progress("half") << Anything()
        playbook.advance(0.59)
        playbook.advance(0.02) << sent(intents.SpeakText)


def test_what_was_being_said_when_the_session_was_lost_is_whole() -> None:
    with book(LIVE) as playbook:
        playbook >> server.OutputTranscriptDelta(delta="Well")
        playbook >> LOST
        playbook << effects.Show(event=screen.TranscriptDone(speaker="assistant", text="Well"))
        playbook.skip().advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << Anything()
        playbook >> server.OutputTranscriptDelta(delta="Hello")
        playbook.advance(1.5) << effects.Show(event=screen.TranscriptDone(speaker="assistant", text="Hello"))


def test_a_delegation_without_words_waits_for_what_the_user_said() -> None:
    delegation = server.HandoffRequested(handoff_id="d1", item_id="d1", text="", offset_ms=900)
    with book(LIVE) as playbook:
        playbook >> server.InputTranscriptDelta(delta="run ", end_ms=400)
        playbook >> delegation
        playbook.advance(0.5)
        playbook >> server.InputTranscriptDelta(delta="the tests", end_ms=1000)
        playbook << effects.StartTurn(turn_id="turn_1", text=render_delegation("user: run ", "user: run "))


def test_a_delegation_without_words_does_not_wait_for_ever() -> None:
    delegation = server.HandoffRequested(handoff_id="d1", item_id="d1", text="", offset_ms=900)
    with book(LIVE) as playbook:
        playbook >> server.InputTranscriptDelta(delta="run it", end_ms=400)
        playbook >> delegation
        playbook.advance(2.0) << sent_turn("run it")


def test_a_delegation_that_has_words_after_all_does_not_wait() -> None:
    with book(LIVE) as playbook:
        playbook >> server.HandoffRequested(handoff_id="d1", item_id="d1", text="run it") << sent_turn("run it")


def test_what_was_said_before_a_delegation_is_told_once_and_stays() -> None:
    conversation = Conversation(Options())
    conversation.handle(OPENED, 1.0)
    conversation.handle(server.InputTranscriptDelta(delta="hello"), 2.0)
    said = conversation.said_before(handoff())
    assert [(each.speaker, each.text) for each in said] == [("user", "hello"), ("user", "run the tests")]
    assert conversation.said_before(handoff()) == said
    conversation.handle(handoff(), 3.0)
    assert conversation.said_before(handoff()) == ()


@dataclasses.dataclass(frozen=True)
class TurnMatcher:
    words: str

    def matches(self, effect: effects.Effect) -> bool:
        return isinstance(effect, effects.StartTurn) and self.words in effect.text


def sent_turn(words: str) -> Matcher:
    return TurnMatcher(words)


def test_items_stand_where_the_server_put_them() -> None:
    with book() as playbook:
        playbook >> server.ItemAdded(item=msgspec.Raw(b"{}"), item_id="u1")
        playbook >> server.ItemAdded(item=msgspec.Raw(b"{}"), item_id="v1", after_item_id="u1")
        playbook >> server.ItemAdded(item=msgspec.Raw(b"5"))
        playbook >> server.OutputTranscriptDone(text="Sure.", item_id="v1")
        playbook >> server.InputTranscriptDone(text="run it", item_id="u1")
        text = render_delegation("run it", "user: run it\nassistant: Sure.")
        playbook >> handoff(text="run it") << effects.StartTurn(turn_id="turn_1", text=text)


# Permission.


def approves(call_id: str = "p1") -> server.ToolCalled:
    arguments = '{"approval_id":"a1","decision":"approve"}'
    return server.ToolCalled(call_id=call_id, item_id="i", name="answer_approval", arguments=arguments)


def permission_is_asked() -> Matcher:
    return sent(intents.ReportProgress, lambda report: "permission to run git push" in report.text)


def asked_for_permission() -> Playbook:
    """A task waits for permission, and the question has been put and heard."""
    playbook = working()
    (
        playbook
        >> ASKS
        << sent(intents.ReportProgress, lambda report: "permission to run git push" in report.text)
        << SPEAK
    )
    playbook >> CREATED
    playbook >> events.AudioReceived(item_id="q", duration_ms=1000) << effects.PlayAudio(item_id="q")
    playbook >> DONE
    playbook.advance(1.0)
    return playbook


def test_a_clear_yes_of_the_user_gives_the_permission() -> None:
    with asked_for_permission() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> server.InputSpeechStopped()
        playbook >> approves()
        playbook >> YES << effects.AnswerApproval(turn_id="turn_1", approval_id="a1", approved=True)
        playbook << sent(intents.AnswerCall, lambda answer: answer.call_id == "p1") << SPEAK


def test_what_the_voice_alone_says_gives_no_permission() -> None:
    with asked_for_permission() as playbook:
        playbook >> approves()
        playbook.advance(5.0) << sent(intents.AnswerCall, lambda answer: "nothing is decided" in answer.output)
        playbook << SPEAK


def test_a_yes_that_was_begun_before_the_question_was_heard_does_not_count() -> None:
    with working() as playbook:
        playbook >> ASKS << sent(intents.ReportProgress) << SPEAK
        playbook >> CREATED
        playbook >> events.AudioReceived(item_id="q", duration_ms=3000) << effects.PlayAudio(item_id="q")
        playbook.advance(0.5)
        playbook >> server.InputSpeechStarted() << effects.StopPlayback() << sent(intents.Truncate)
        playbook >> server.InputSpeechStopped()
        playbook >> approves()
        playbook << sent(intents.AnswerCall, lambda answer: "nothing is decided" in answer.output)
        playbook.skip() >> YES
        playbook.skip()
        assert not any(isinstance(effect, effects.AnswerApproval) for effect in playbook.came)


def test_a_repeated_answer_is_ignored() -> None:
    with asked_for_permission() as playbook:
        playbook >> tool("agent_status", "p1") << Anything() << SPEAK
        playbook >> approves("p1") << shown(screen.Warned)


def test_of_what_is_answered_on_the_screen_the_user_hears() -> None:
    risky = msgspec.structs.replace(ASKS, risks=(Risk.FORCE_PUSH,))
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> risky << permission_is_asked()
        playbook >> server.InputSpeechStopped()
        playbook.advance(0.7) << SPEAK
        playbook >> CREATED
        playbook >> DONE
        playbook >> server.InputSpeechStarted()
        playbook >> server.InputSpeechStopped()
        playbook >> approves()
        playbook << sent(intents.AnswerCall, lambda answer: "on the screen" in answer.output)
        playbook.skip() >> YES
        playbook.skip()
        assert not any(isinstance(effect, effects.AnswerApproval) for effect in playbook.came)


def test_where_the_voice_is_told_by_channel_what_is_asked_it_says_it() -> None:
    options = Options(creates_responses=False, speaks_by_channel=True)
    with book(options) as playbook:
        playbook >> handoff() << Anything()
        playbook >> ASKS << permission_is_asked()
        playbook << effects.Send(intent=intents.SpeakText(text="May I run git push?"))


def test_a_question_is_not_asked_by_a_response_to_something_else() -> None:
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> ASKS << permission_is_asked()
        playbook >> tool("agent_status", "status_1") << Anything() << SPEAK
        playbook >> server.InputSpeechStopped()
        playbook >> CREATED
        playbook >> DONE
        playbook >> server.InputSpeechStarted()
        playbook >> server.InputSpeechStopped()
        playbook >> approves()
        playbook << sent(intents.AnswerCall, lambda answer: "nothing is decided" in answer.output)
        playbook.skip() >> YES
        playbook.skip()
        assert not any(isinstance(effect, effects.AnswerApproval) for effect in playbook.came)


def test_an_answer_on_the_screen_counts() -> None:
    with asked_for_permission() as playbook:
        playbook >> events.ApprovalAnswered(approval_id="a1", approved=False)
        playbook << effects.AnswerApproval(turn_id="turn_1", approval_id="a1", approved=False)
        playbook.skip()


@pytest.mark.parametrize(
    "event", [AgentApprovalWithdrawn(turn_id="turn_1", approval_id="a1"), ended(), events.TimerFired(name="approval")]
)
def test_what_is_not_needed_any_more_is_not_asked(event: events.Event) -> None:
    settled = shown(screen.ApprovalSettled)
    with working() as playbook:
        playbook >> server.InputSpeechStarted()
        playbook >> ASKS << sent(intents.ReportProgress)
        if isinstance(event, events.TimerFired):
            playbook.advance(300.0)
            playbook.skip()
            assert effects.AnswerApproval(turn_id="turn_1", approval_id="a1", approved=False) in playbook.came
        else:
            playbook >> event
            playbook.skip()
            assert not any(isinstance(effect, effects.AnswerApproval) for effect in playbook.came)
        assert sum(map(settled.matches, playbook.came)) == 1
        playbook >> server.InputSpeechStopped()
        playbook.advance(1.0)
        # Of a task that has ended, or was silent for long, there is something else to be said.
        assert SPEAK not in playbook.came or not isinstance(event, AgentApprovalWithdrawn)
        playbook.skip()


@pytest.mark.parametrize(("heard_s", "counts"), [(2.69, False), (2.7, True)])
def test_an_answer_in_the_last_moment_of_the_question_counts(heard_s: float, *, counts: bool) -> None:
    with working() as playbook:
        playbook >> ASKS << permission_is_asked() << SPEAK
        playbook >> CREATED
        playbook >> events.AudioReceived(item_id="q", duration_ms=3000) << effects.PlayAudio(item_id="q")
        playbook >> DONE
        playbook.advance(heard_s)
        playbook >> server.InputSpeechStarted()
        playbook.skip() >> server.InputSpeechStopped()
        playbook >> approves()
        playbook.skip() >> YES
        playbook.skip()
        assert any(isinstance(effect, effects.AnswerApproval) for effect in playbook.came) is counts


def test_a_call_that_waits_for_the_users_words_is_answered_when_its_session_is_rotated() -> None:
    with working(Options(rotate_after_s=60.0, speech=Speech.RESULTS)) as playbook:
        playbook.advance(60.0)
        playbook.skip() >> ASKS << permission_is_asked()
        playbook.skip().advance(1.0)
        playbook.skip() >> CREATED
        playbook >> DONE
        playbook >> approves()
        playbook >> OPENED << finished("call_1") << sent(intents.AnswerCall, lambda answer: answer.call_id == "p1")
        playbook.skip()


def test_a_question_is_put_again_in_the_next_session() -> None:
    with asked_for_permission() as playbook:
        playbook >> LOST
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED << effects.TakeTransport() << effects.Configure() << told("A task was handed over")
        playbook << permission_is_asked()
        playbook.advance(0.7) << SPEAK
