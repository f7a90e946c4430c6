"""The dialog and the real core of a client, joined by the dialect's own messages, without sound and without a socket.

What the dialog reads are words that the core writes; here they cannot drift apart.
"""

from __future__ import annotations

import pytest

from backchannel.core import (
    AgentApprovalRequested,
    AgentApprovalWithdrawn,
    AgentMessage,
    AgentReport,
    AgentTurnEnded,
    Conversation,
    Options,
    Outcome,
    Phase,
    Risk,
    effects,
    events,
    screen,
)
from backchannel.core.approval import Approval
from backchannel.engine import protocol
from backchannel.engine.dialog import Dialog, Reply
from backchannel.engine.items import FunctionCallItem, FunctionCallOutputItem, MessageItem, created_item
from backchannel.engine.speech.base import Heard
from backchannel.wire.realtime import TOOLS, V2
from backchannel.wire.realtime import events as server

OFFERED = frozenset(TOOLS)


class Stage:
    """Plays the shells of both sides: carries messages, keeps the time, and notes what was said and decided."""

    def __init__(self) -> None:
        self.conversation = Conversation(Options())
        self.dialog = Dialog()
        self.now = 0.0
        self.timers: dict[str, float] = {}
        self.said: list[str] = []
        self.decided: list[bool] = []
        self.levels: list[str] = []
        self.accounts: list[str] = []
        self.turn_id = ""
        self.n_ids = 0
        self.n_wanted = 0
        self.is_opening = False
        self.feed(events.TransportOpened())

    def feed(self, event: events.Event) -> None:
        for effect in self.conversation.handle(event, self.now):
            match effect:
                case effects.Send(intent=intent):
                    for message in V2().encode(intent):
                        self._received(message.decode())
                case effects.SetTimer(name=name, deadline=deadline):
                    self.timers[name] = deadline
                case effects.CancelTimer(name=name):
                    self.timers.pop(name, None)
                case effects.StartTurn(turn_id=turn_id):
                    self.turn_id = turn_id
                case effects.AnswerApproval(approved=approved):
                    self.decided.append(approved)
                case effects.OpenTransport():
                    self.is_opening = True
                case effects.TakeTransport():
                    self.dialog = Dialog()
                case effects.Show(event=screen.UpdatesSet(level=level)):
                    self.levels.append(level)
                case _:
                    pass
        if self.is_opening:
            self.is_opening = False
            self.feed(events.TransportOpened())
        while self.n_wanted:
            self.n_wanted -= 1
            self._respond(self.dialog.asked(OFFERED))

    def hear(self, words: str, *, client_first: bool = False) -> None:
        """The user says this, and the engine answers before the client does anything about the words, or after."""
        item_id, heard = self._id(), Heard(text=words, confidence=1.0, from_grammar=True)
        self.feed(server.InputSpeechStarted(item_id=item_id))
        self.feed(server.InputSpeechStopped(item_id=item_id))
        reply = None if client_first else self.dialog.heard(heard, OFFERED)
        self.feed(server.InputTranscriptDone(text=words, item_id=item_id))
        self._respond(reply or self.dialog.heard(heard, OFFERED))

    def lose_connection(self) -> None:
        """The session is gone, and another one takes its place."""
        self.feed(events.TransportFailed(message="reset"))
        self.wait(2)

    def report(self, *reports: AgentReport) -> None:
        for report in reports:
            self.feed(report)

    def finish(self, text: str) -> None:
        """The agent is done with the turn that runs."""
        turn_id = self.turn_id
        self.report(
            AgentMessage(turn_id=turn_id, text=text, phase=Phase.FINAL),
            AgentTurnEnded(turn_id=turn_id, outcome=Outcome.COMPLETED),
        )

    def ask_for(self, approval_id: str, action: str, *risks: Risk) -> None:
        self.report(AgentApprovalRequested(turn_id=self.turn_id, approval_id=approval_id, action=action, risks=risks))

    def wait(self, seconds: float) -> None:
        """Time passes, and what is due happens."""
        until = self.now + seconds
        while self.timers and min(self.timers.values()) <= until:
            name = min(self.timers, key=lambda each: self.timers[each])
            self.now = max(self.now, self.timers.pop(name))
            self.feed(events.TimerFired(name=name))
        self.now = until

    def take_said(self) -> list[str]:
        said, self.said = self.said, []
        return said

    def _received(self, message: str) -> None:
        match protocol.decode(message):
            case protocol.CreateItem(item=new):
                match created_item(new, item_id=self._id(), call_id=self._id()):
                    case MessageItem(role="user") as item:
                        self.dialog.user_wrote(item.text)
                    case FunctionCallOutputItem(call_id=call_id, output=output):
                        self.dialog.answered(call_id, output)
                    case MessageItem(role="developer") as item:
                        self.accounts.append(item.text)
                    case item:
                        raise AssertionError(f"the core does not create this: {item}")
            case protocol.CreateResponse():
                self.n_wanted += 1
            case event:
                raise AssertionError(f"the core does not send this: {event}")

    def _respond(self, reply: Reply) -> None:
        response_id = self._id()
        self.feed(server.ResponseCreated(response_id=response_id))
        if reply.say is not None:
            self.said.append(reply.say)
            self.feed(server.OutputTranscriptDone(text=reply.say, item_id=self._id()))
        if reply.call is not None:
            call_id = self._id()
            self.dialog.called(call_id, reply.call.name)
            self.feed(called(call_id, reply))
        self.feed(server.ResponseDone(response_id=response_id))

    def _id(self) -> str:
        self.n_ids += 1
        return f"id_{self.n_ids}"


def called(call_id: str, reply: Reply) -> events.Event:
    """The call as it reaches the core: written by the engine, read by the dialect."""
    assert reply.call is not None
    item = FunctionCallItem(id=f"item_{call_id}", call_id=call_id, name=reply.call.name, arguments=reply.call.arguments)
    event = V2().decode(protocol.encode(protocol.ItemDone(previous_item_id=None, item=item), "event_1"))
    assert isinstance(event, server.HandoffRequested | server.ToolCalled)
    return event


def working() -> Stage:
    """The agent works on a task that was asked for by voice."""
    stage = Stage()
    stage.hear("run the tests")
    assert stage.turn_id
    stage.take_said()
    return stage


def asked(action: str = "run git push") -> Stage:
    """The agent has asked for permission, and the question was put."""
    stage = working()
    stage.ask_for("a1", action)
    stage.wait(1)
    assert stage.take_said() == [f"May I {action}?"]
    return stage


@pytest.mark.parametrize(
    ("words", "approved", "said"),
    [("yes", True, "Okay, it may go on."), ("no", False, "Okay, that is declined.")],
)
@pytest.mark.parametrize("client_first", [False, True])
def test_a_yes_permits_and_a_no_declines(words: str, *, approved: bool, said: str, client_first: bool) -> None:
    stage = asked()
    stage.hear(words, client_first=client_first)
    assert stage.decided == [approved]
    assert stage.take_said() == [said]
    stage.wait(5)
    assert stage.decided == [approved]


@pytest.mark.parametrize(
    "action", ["run git push.", "  run `git push`,\n then v1.0. This is request a7. ...?", "x" * 200]
)
def test_the_question_is_put_in_the_words_of_the_core(action: str) -> None:
    stage = working()
    stage.ask_for("a1", action)
    stage.wait(1)
    report = AgentApprovalRequested(turn_id="turn_1", approval_id="a1", action=action)
    question = Approval(Options()).requested(report, 0.0).ask
    assert question is not None
    assert stage.take_said() == [question.text]


def test_words_that_the_core_does_not_take_for_a_yes_have_the_question_put_again() -> None:
    stage = asked()
    stage.hear("okay")
    assert stage.decided == []
    assert stage.take_said() == ["I need a clear yes or no. May I run git push?"]
    stage.wait(1)
    stage.hear("yes please")
    assert stage.decided == [True]
    assert stage.take_said() == ["Okay, it may go on."]


def test_the_next_question_is_put_when_the_one_before_is_answered() -> None:
    stage = asked()
    stage.ask_for("a2", "run git tag")
    stage.wait(5)
    assert stage.take_said() == []
    stage.hear("yes")
    stage.wait(1)
    assert stage.take_said() == ["Okay, it may go on. May I run git tag?"]
    stage.hear("no")
    assert stage.decided == [True, False]


def test_what_may_only_be_answered_on_the_screen_is_said_to_be_there_and_a_yes_is_none() -> None:
    stage = working()
    stage.ask_for("a1", "delete the cache", Risk.DELETE)
    stage.hear("how is it going")
    (said,) = stage.take_said()
    assert said.endswith("Please answer on the screen.")
    stage.hear("yes")
    assert stage.decided == []
    assert stage.take_said() == []


def test_a_question_that_was_answered_on_the_screen_is_not_asked_any_more() -> None:
    stage = working()
    stage.ask_for("a1", "run git push")
    stage.feed(events.ApprovalAnswered(approval_id="a1", approved=True))
    stage.wait(10)
    assert stage.take_said() == []
    stage.ask_for("a2", "run git tag")
    assert stage.take_said() == ["May I run git tag?"]
    stage.report(AgentApprovalWithdrawn(turn_id=stage.turn_id, approval_id="a2"))
    stage.hear("yes")
    assert stage.take_said() == ["That is settled already."]
    assert stage.decided == [True]


def test_a_yes_after_other_talk_has_the_question_put_again() -> None:
    stage = asked()
    stage.hear("how is it going")
    stage.take_said()
    stage.hear("yes")
    assert stage.decided == []
    assert stage.take_said() == ["May I run git push?"]
    stage.hear("yes")
    assert stage.decided == [True]


def test_the_level_of_updates_is_set_and_acknowledged() -> None:
    stage = Stage()
    stage.hear("only tell me the results")
    assert stage.levels == ["results"]
    assert stage.take_said() == ["Okay, only the results."]


def test_a_request_for_later_is_acknowledged_and_its_result_is_said_when_it_comes() -> None:
    stage = working()
    stage.hear("after that run the linter")
    acknowledged = stage.take_said()
    assert len(acknowledged) == 2
    assert all(len(words) < 40 for words in acknowledged)
    first = stage.turn_id
    stage.finish("All 12 tests pass.")
    assert stage.turn_id != first
    stage.wait(2)
    assert stage.take_said() == ["All 12 tests pass."]
    stage.finish("The linter found nothing.")
    stage.wait(2)
    assert stage.take_said() == ["The linter found nothing."]


def test_a_change_is_acknowledged() -> None:
    stage = working()
    stage.hear("only the core tests")
    assert len(stage.take_said()) == 2


def test_a_silent_agent_is_said_to_be_working_briefly_and_its_result_comes_as_ever() -> None:
    stage = working()
    stage.wait(30)
    (said,) = stage.take_said()
    assert said.startswith("Still working on it, for ")
    assert len(said) < 50
    stage.finish("All 12 tests pass.")
    stage.wait(2)
    assert stage.take_said() == ["All 12 tests pass."]


def test_in_a_restored_session_nothing_is_said_of_what_was_and_the_result_is_said() -> None:
    stage = asked()
    stage.lose_connection()
    assert stage.take_said() == ["May I run git push?"]
    stage.hear("yes")
    assert stage.decided == [True]
    stage.take_said()
    stage.finish("All 12 tests pass.")
    stage.wait(2)
    assert stage.take_said() == ["All 12 tests pass."]
    assert stage.accounts
    assert "run the tests" in stage.accounts[0]


def test_in_a_restored_session_a_status_does_not_lose_the_result() -> None:
    stage = working()
    stage.lose_connection()
    stage.feed(server.InputSpeechStarted(item_id="first"))
    stage.finish("All 12 tests pass.")
    stage.hear("how is it going")
    (said,) = stage.take_said()
    assert said.startswith("All 12 tests pass. No task is running.")
