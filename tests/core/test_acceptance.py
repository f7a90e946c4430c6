"""What the reference's tests of its core promise and no test beside showed yet; `README.md` has all of them."""

from __future__ import annotations

import msgspec
import pytest

from backchannel.core import (
    AgentMessage,
    AgentTurnEnded,
    Conversation,
    Options,
    Outcome,
    Phase,
    effects,
    events,
    render_delegation,
)
from backchannel.testing import Anything, Playbook, sent
from backchannel.wire.realtime import events as server
from backchannel.wire.realtime import intents

SPEAK = effects.Send(intent=intents.RequestResponse())
HANDED_OVER = server.HandoffRequested(handoff_id="call_1", item_id="item_1", text="run the tests")


def working() -> Playbook:
    """A conversation in which a delegation runs."""
    playbook = Playbook(Conversation(Options()), start_s=100.0, showing=False, timing=False)
    playbook >> events.TransportOpened()
    playbook.skip()
    playbook >> HANDED_OVER << Anything()
    return playbook


def said(text: str, phase: Phase = Phase.COMMENTARY) -> AgentMessage:
    return AgentMessage(turn_id="turn_1", text=text, phase=phase)


def reported(text: str, handoff_id: str | None, phase: intents.Phase = "commentary") -> effects.Effect:
    return effects.Send(intent=intents.ReportProgress(handoff_id=handoff_id, text=text, phase=phase))


def test_every_message_belongs_to_the_delegation_until_its_turn_has_ended() -> None:
    with working() as playbook:
        playbook >> said("one") << reported("one", "call_1") << SPEAK
        playbook >> server.ItemDone(item_id="item_1")
        # So that it is not held: progress is passed on once a second.
        playbook.advance(1.0)
        playbook >> said("two") << reported("two", "call_1")
        playbook >> said("done", Phase.FINAL) << reported("done", "call_1", "final")
        playbook >> AgentTurnEnded(turn_id="turn_1", outcome=Outcome.COMPLETED)
        playbook << sent(intents.FinishHandoff, lambda end: end.handoff_id == "call_1")
        # Of another turn, one that was not started here.
        playbook >> AgentMessage(turn_id="elsewhere", text="more", phase=Phase.FINAL) << reported("more", None, "final")


def test_the_assistant_is_heard_while_a_task_runs_and_while_it_is_changed() -> None:
    with working() as playbook:
        playbook >> events.AudioReceived(item_id="item_2", duration_ms=20) << effects.PlayAudio(item_id="item_2")
        playbook >> server.HandoffRequested(handoff_id="call_2", item_id="item_3", text="only core")
        playbook.skip()
        playbook >> events.AudioReceived(item_id="item_2", duration_ms=20) << effects.PlayAudio(item_id="item_2")


@pytest.mark.parametrize(
    "echo",
    [
        server.ItemAdded(item=msgspec.Raw(b'{"type":"message","role":"user","content":[{"text":"run it"}]}')),
        server.ItemDone(item_id="item_9"),
    ],
)
def test_an_echo_of_what_was_said_delegates_nothing_and_the_assistant_is_still_heard(
    echo: server.ItemAdded | server.ItemDone,
) -> None:
    with working() as playbook:
        playbook >> echo
        playbook >> events.AudioReceived(item_id="item_2", duration_ms=20) << effects.PlayAudio(item_id="item_2")


def test_after_the_end_no_delegation_is_handed_on_and_none_of_its_words() -> None:
    with working() as playbook:
        playbook >> server.InputTranscriptDelta(delta="and one more")
        playbook >> events.StopRequested()
        playbook << sent(intents.FinishHandoff) << effects.CloseTransport() << effects.BriefAgent(by_voice=False)
        playbook >> server.InputTranscriptDone(text="and one more thing")
        playbook >> server.HandoffRequested(handoff_id="call_2", item_id="item_3", text="one more thing")
        playbook >> said("late")


def test_what_was_said_in_a_replaced_conversation_is_not_handed_on_by_the_next() -> None:
    with working() as playbook:
        playbook >> server.InputTranscriptDone(text="of the old one")
        playbook >> events.ReplacementRequested(options=Options()) << effects.OpenTransport(replaces=True)
        playbook >> events.TransportOpened()
        playbook << sent(intents.FinishHandoff, lambda end: end.handoff_id == "call_1")
        playbook << effects.BriefAgent(by_voice=False) << effects.TakeTransport() << effects.Configure()
        playbook << effects.BriefAgent(by_voice=True)
        # The task runs on, so this is a change to it, by words of the new session only.
        text = render_delegation("only core", "user: only core")
        playbook >> server.HandoffRequested(handoff_id="call_2", item_id="item_2", text="only core")
        playbook << effects.SteerTurn(turn_id="turn_1", text=text, by_voice=True)


def test_markup_is_escaped_where_nothing_was_said_before_it_too() -> None:
    assert render_delegation("a & <b>") == (
        "<realtime_delegation>\n  <input>a &amp; &lt;b&gt;</input>\n</realtime_delegation>"
    )
