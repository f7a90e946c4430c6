"""Sessions in a row: what one of them leaves to the next, and what must not get there."""

from __future__ import annotations

import msgspec
import pytest

from backchannel.core import (
    AgentTurnEnded,
    Conversation,
    Options,
    Outcome,
    Risk,
    Speech,
    State,
    effects,
    events,
    screen,
)
from backchannel.core.conversation import HEARTBEAT_TIMER
from backchannel.core.link import ROTATION_TIMER
from backchannel.testing import Anything, Playbook, sent, shown
from backchannel.wire.realtime import events as server
from backchannel.wire.realtime import intents
from tests.core.test_conversation import (
    ASKS,
    CREATED,
    DONE,
    LIVE,
    LOST,
    OPENED,
    SPEAK,
    YES,
    approves,
    asked_for_permission,
    book,
    final,
    handoff,
    progress,
    working,
)


def lost(playbook: Playbook) -> Playbook:
    playbook >> LOST
    return playbook.skip()


def back(playbook: Playbook) -> Playbook:
    playbook.advance(0.2) << effects.OpenTransport()
    playbook >> OPENED << effects.TakeTransport() << effects.Configure()
    return playbook


def replaced(playbook: Playbook, options: Options) -> Playbook:
    playbook >> events.ReplacementRequested(options=options) << effects.OpenTransport(replaces=True)
    playbook >> OPENED
    return playbook.skip()


def texts(playbook: Playbook) -> list[str]:
    """What came of the last step, as it was told to the voice as text."""
    said = [effect.intent for effect in playbook.came if isinstance(effect, effects.Send)]
    kinds = intents.AddText | intents.ReportProgress | intents.SpeakText | intents.MirrorTyped
    return [intent.text for intent in said if isinstance(intent, kinds)]


# Ids


def test_a_server_that_counts_its_items_from_the_beginning_in_each_session_is_heard() -> None:
    audio = events.AudioReceived(item_id="item_1", duration_ms=1000)
    with book() as playbook:
        playbook >> audio << effects.PlayAudio(item_id="item_1")
        playbook >> server.InputSpeechStarted(item_id="u1") << effects.StopPlayback()
        back(lost(playbook))
        playbook >> audio << effects.PlayAudio(item_id="item_1")


# While there is no way


@pytest.mark.parametrize("speech", [Speech.MILESTONES, Speech.IMMEDIATE])
def test_what_a_client_wants_said_during_an_outage_is_told_once_and_said_afterwards(speech: Speech) -> None:
    playbook = lost(book(Options(speech=speech)))
    playbook >> events.SpeechAppended(text="hello")
    playbook.advance(0.2) << effects.OpenTransport()
    playbook >> OPENED
    assert texts(playbook) == ["hello"]
    assert playbook.came.count(SPEAK) == 1
    playbook.skip().done()


def test_a_result_that_comes_during_an_outage_is_told_once() -> None:
    playbook = lost(working())
    playbook >> final("all passed")
    playbook.skip() >> AgentTurnEnded(turn_id="turn_1", outcome=Outcome.COMPLETED)
    playbook.skip().advance(0.2) << effects.OpenTransport()
    playbook >> OPENED
    assert texts(playbook) == ["all passed"]
    playbook.skip().advance(0.7) << SPEAK
    playbook.done()


def test_what_a_client_adds_during_an_outage_is_told_once() -> None:
    playbook = lost(book())
    playbook >> events.TextAppended(text="by the way")
    back(playbook)
    assert texts(playbook) == ["by the way"]
    playbook.skip().done()


def test_a_silent_task_is_heard_of_after_an_outage_and_not_for_each_time_that_it_was_silent() -> None:
    playbook = lost(working(Options(give_up_after_s=10_000.0)))
    playbook.advance(0.2) << effects.OpenTransport()
    playbook.advance(400.0)
    playbook >> OPENED
    assert not any("Still working" in text for text in texts(playbook)[1:])
    playbook.skip().done()


def test_what_an_expired_session_says_at_last_does_not_end_the_conversation() -> None:
    with book() as playbook:
        playbook >> server.ServerError(message="60 minutes", code="session_expired")
        playbook >> server.ServerError(message="goodbye", code="going_away")
        back(playbook)


def test_a_user_whom_an_expired_session_heard_last_does_not_keep_the_next_from_speaking() -> None:
    with book() as playbook:
        playbook >> server.ServerError(message="60 minutes", code="session_expired")
        playbook >> server.InputSpeechStarted(item_id="u1")
        back(playbook)
        playbook >> events.TextTyped(text="run it") << sent(intents.MirrorTyped) << Anything()
        playbook >> AgentTurnEnded(turn_id="turn_1", outcome=Outcome.COMPLETED) << sent(intents.ReportProgress)
        playbook.advance(0.7) << SPEAK


# Another conversation


def test_what_may_be_allowed_by_voice_is_chosen_anew_by_another_conversation() -> None:
    asks = ASKS.__class__(turn_id="turn_1", approval_id="a1", action="delete the branch", risks=(Risk.DELETE,))
    playbook = working(Options(on_screen_risks=()))
    playbook >> asks
    replaced(playbook.skip(), Options())
    assert any("answered on the screen" in text for text in texts(playbook))
    playbook.advance(1.0)
    assert SPEAK not in playbook.came
    playbook.skip() >> server.InputSpeechStarted()
    playbook.skip() >> approves()
    playbook.skip() >> YES
    assert not any(isinstance(effect, effects.AnswerApproval) for effect in playbook.came)
    playbook.skip().done()


def test_what_had_to_be_allowed_on_the_screen_may_be_asked_by_another_conversation() -> None:
    playbook = working(Options(tells_speech=False))
    playbook >> ASKS
    replaced(playbook.skip(), Options())
    assert any("Ask the user" in text for text in texts(playbook))
    assert SPEAK in playbook.came
    playbook.skip() >> CREATED
    playbook >> DONE
    playbook >> server.InputSpeechStarted()
    playbook >> approves()
    playbook >> YES << effects.AnswerApproval(turn_id="turn_1", approval_id="a1", approved=True)
    playbook.skip().done()


def test_a_yes_of_the_conversation_before_counts_for_nothing_in_another() -> None:
    playbook = asked_for_permission()
    playbook >> server.InputSpeechStarted()
    playbook.skip() >> YES
    replaced(playbook.skip(), Options())
    playbook >> approves()
    playbook.skip() >> YES
    assert not any(isinstance(effect, effects.AnswerApproval) for effect in playbook.came)
    playbook.skip().done()


def test_over_a_call_nobody_can_tell_what_was_heard_so_permission_is_given_on_the_screen() -> None:
    with book(Options(session_outlives_way=True)) as playbook:
        playbook >> handoff() << Anything()
        playbook >> ASKS << sent(intents.ReportProgress, lambda report: "answered on the screen" in report.text)
        playbook.skip()


def test_a_microphone_stays_muted_in_another_conversation() -> None:
    with book() as playbook:
        playbook >> events.MuteChanged(muted=True)
        replaced(playbook, Options())
        playbook >> server.InputSpeechStarted()
        playbook >> events.TextTyped(text="run it") << sent(intents.MirrorTyped) << Anything()
        playbook >> AgentTurnEnded(turn_id="turn_1", outcome=Outcome.COMPLETED)
        playbook << sent(intents.ReportProgress) << SPEAK


def test_a_task_that_goes_on_in_another_conversation_is_heard_of_there() -> None:
    with working() as playbook:
        replaced(playbook, Options())
        playbook.advance(20.0) << sent(intents.ReportProgress, lambda report: "Still working" in report.text) << SPEAK


def test_a_session_is_rotated_also_after_another_conversation_could_not_start() -> None:
    with book(Options(rotate_after_s=60.0)) as playbook:
        playbook >> events.ReplacementRequested(options=Options()) << effects.OpenTransport(replaces=True)
        playbook >> events.OpenFailed(message="refused", is_final=True)
        playbook.advance(60.0) << effects.OpenTransport()


def test_a_session_that_was_being_rotated_is_rotated_after_another_conversation_could_not_start() -> None:
    with book(Options(rotate_after_s=60.0)) as playbook:
        playbook.advance(60.0) << effects.OpenTransport()
        playbook >> events.ReplacementRequested(options=Options()) << effects.OpenTransport(replaces=True)
        playbook >> events.OpenFailed(message="refused", is_final=True)
        playbook.advance(1.0) << effects.OpenTransport()


def test_what_was_said_in_a_lost_session_is_not_overwritten_by_an_item_of_the_same_id_in_the_next() -> None:
    with book() as playbook:
        playbook >> server.InputTranscriptDone(text="first", item_id="item_1")
        back(lost(playbook))
        playbook.skip() >> server.InputTranscriptDone(text="second", item_id="item_1")
        playbook >> handoff(text="go")
        assert ["user: first\nuser: second" in text for text in started(playbook)] == [True]
        playbook.skip()


def test_a_call_whose_way_is_lost_is_not_answered_when_another_conversation_takes_its_place() -> None:
    with book(Options(session_outlives_way=True)) as playbook:
        playbook >> handoff() << Anything()
        playbook >> LOST
        replaced(playbook.skip(), Options())
        assert not any(isinstance(getattr(effect, "intent", None), intents.FinishHandoff) for effect in playbook.came)


def test_the_calls_of_another_conversation_are_its_own() -> None:
    with working() as playbook:
        replaced(playbook, Options())
        playbook >> handoff("call_1", "only core")
        assert any(isinstance(effect, effects.SteerTurn) for effect in playbook.came)
        playbook.skip()


def test_of_a_task_that_goes_on_it_is_told_as_is_chosen_for_the_conversation() -> None:
    with working() as playbook:
        replaced(playbook, Options(reports_as_items=True))
        playbook >> progress("half") << effects.Send(intent=intents.ReportAsItem(text="half"))


def test_a_call_for_permission_of_another_conversation_is_its_own() -> None:
    with asked_for_permission() as playbook:
        playbook >> approves("p1")
        replaced(playbook.skip(), Options())
        assert SPEAK in playbook.came
        playbook >> CREATED
        playbook >> DONE
        playbook >> server.InputSpeechStarted()
        playbook.skip() >> server.InputSpeechStopped()
        playbook >> approves("p1")
        playbook.skip() >> YES
        assert effects.AnswerApproval(turn_id="turn_1", approval_id="a1", approved=True) in playbook.came
        playbook.skip()


def test_a_question_is_put_again_when_its_session_was_rotated() -> None:
    with working(Options(rotate_after_s=60.0, speech=Speech.RESULTS)) as playbook:
        playbook >> ASKS
        playbook.skip() >> CREATED
        playbook >> DONE
        playbook.advance(60.0) << effects.OpenTransport()
        playbook >> OPENED
        playbook.skip().advance(0.7)
        assert SPEAK in playbook.came
        playbook.skip()


def test_a_goodbye_is_no_failure() -> None:
    with book(showing=True) as playbook:
        playbook >> events.TransportClosed(message="bye", code=1000)
        failed = [effect for effect in playbook.came if shown(screen.ConversationFailed).matches(effect)]
        assert failed == []
        assert shown(screen.ConversationClosed, lambda it: it.detail == "bye").matches(playbook.came[-1])
        playbook.skip()


# What was handed over last


def delegates(playbook: Playbook) -> None:
    """A delegation waits for its words, of which half are there."""
    playbook >> server.InputTranscriptDelta(delta="run the", item_id="i", end_ms=400)
    playbook >> server.HandoffRequested(handoff_id="call_1", item_id="i", text="", offset_ms=900)


def started(playbook: Playbook) -> list[str]:
    return [effect.text for effect in playbook.came if isinstance(effect, effects.StartTurn)]


def test_what_a_lost_session_handed_over_is_worked_on() -> None:
    with book(LIVE) as playbook:
        delegates(playbook)
        playbook >> LOST
        playbook.skip()
        assert ["run the" in text for text in started(playbook)] == [True]
        assert texts(playbook) == []
        playbook.advance(0.2) << effects.OpenTransport()
        playbook >> OPENED
        playbook.skip()
        assert started(playbook) == []


def test_what_a_session_handed_over_before_it_was_rotated_is_worked_on() -> None:
    with book(msgspec.structs.replace(LIVE, rotate_after_s=60.0)) as playbook:
        playbook.advance(60.0) << effects.OpenTransport()
        delegates(playbook)
        playbook >> OPENED
        playbook.skip()
        assert ["run the" in text for text in started(playbook)] == [True]


def test_what_a_conversation_handed_over_before_it_was_replaced_is_worked_on() -> None:
    with book(LIVE) as playbook:
        delegates(playbook)
        replaced(playbook, LIVE)
        assert ["run the" in text for text in started(playbook)] == [True]


def test_a_server_that_is_busy_is_left_in_order_before_another_conversation_begins() -> None:
    with working() as playbook:
        playbook >> events.ReplacementRequested(options=Options()) << effects.OpenTransport(replaces=True)
        playbook >> events.OpenFailed(message="busy", is_busy=True)
        playbook << sent(intents.FinishHandoff, lambda done: done.handoff_id == "call_1")
        playbook << effects.CloseTransport() << effects.OpenTransport(replaces=True)
        playbook >> events.TransportClosed(message="bye", code=1000)
        playbook >> OPENED << effects.BriefAgent(by_voice=False) << effects.TakeTransport()
        playbook << effects.Configure() << effects.BriefAgent(by_voice=True)


# Time


def test_a_timer_of_the_rotation_that_fires_early_is_set_again() -> None:
    conversation = Conversation(Options(rotate_after_s=60.0))
    conversation.handle(OPENED, 100.0)
    early = conversation.handle(events.TimerFired(name=ROTATION_TIMER), 159.9996)
    assert early == [effects.SetTimer(name=ROTATION_TIMER, deadline=160.0)]
    assert conversation.handle(events.TimerFired(name=ROTATION_TIMER), 160.0) == [effects.OpenTransport()]
    assert conversation.state is State.LIVE


def test_where_the_client_manages_handoffs_no_silence_is_broken() -> None:
    with book(Options(client_managed_handoffs=True)) as playbook:
        playbook >> handoff() << Anything()
        assert HEARTBEAT_TIMER not in playbook.timers
        playbook.advance(100.0)
