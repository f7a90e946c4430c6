from __future__ import annotations

import io
import json
import re

import pytest

from backchannel import core
from backchannel.core import screen
from backchannel.tui import JsonLines, Lines, Notice, ReplyHeard, ShownEvent
from tests.tagged import members

NASTY = "a\x1b]0;title\x07b\r\n\tc\x9b2Jd\u202ee\u2028f\x7fg\x00h"

LINES: list[tuple[ShownEvent, str | None]] = [
    (screen.ConversationStarted(), "start    the conversation is open"),
    (
        screen.ConversationReconnecting(attempt=2, delay_s=0.42, message="reset"),
        "network  lost: reset; try 2 in 0.4 s",
    ),
    (screen.ConversationReconnected(state_restored=True), "network  back, and the voice knows what was said"),
    (screen.ConversationReconnected(state_restored=False), "network  back"),
    (screen.Muted(muted=True), "you      (the microphone is off)"),
    (screen.Muted(muted=False), "you      (the microphone is on)"),
    (screen.UpdatesSet(level="results"), "voice    (from now on it tells: results)"),
    (
        screen.ApprovalNeeded(
            turn_id="turn_1", approval_id="a1", action="push", detail="", risks=(), on_screen_only=False
        ),
        "approval may the agent push? say yes or no, or /approve a1 or /decline a1",
    ),
    (
        screen.ApprovalNeeded(
            turn_id="turn_1",
            approval_id="a1",
            action="push",
            detail="",
            risks=(core.Risk.FORCE_PUSH, core.Risk.NETWORK),
            on_screen_only=True,
        ),
        "approval may the agent push? (force push, network) on the screen only: /approve a1 or /decline a1",
    ),
    *(
        (
            screen.ApprovalSettled(
                turn_id="turn_1", approval_id="a1", decision=decision, by=screen.AnsweredBy.NOBODY, words=words
            ),
            f"approval {says}",
        )
        for decision, words, says in (
            (screen.ApprovalDecision.APPROVED, "yes", "approved: “yes”"),
            (screen.ApprovalDecision.DECLINED, "", "declined"),
            (screen.ApprovalDecision.EXPIRED, "", "declined, because nobody answered in time"),
            (screen.ApprovalDecision.WITHDRAWN, "", "not needed any more"),
        )
    ),
    (core.AgentApprovalRequested(turn_id="turn_1", approval_id="a1", action="push"), None),
    (core.AgentApprovalWithdrawn(turn_id="turn_1", approval_id="a1"), None),
    (screen.TaskQueued(request="then lint it", by_voice=True), "task     kept for afterwards: “then lint it”"),
    (screen.CallAnswered(sdp="v=0\r\nplanted"), "start    the call is answered"),
    (screen.SpeechStarted(), None),
    (screen.SpeechEnded(), None),
    (screen.TranscriptDelta(speaker="user", delta="run"), None),
    (screen.TranscriptDone(speaker="user", text="run the tests"), "you      run the tests"),
    (screen.TranscriptDone(speaker="assistant", text="On it."), "voice    On it."),
    (screen.TypedText(text="run the tests"), "you type run the tests"),
    (
        screen.TaskStarted(turn_id="turn_1", request="run the tests", by_voice=True),
        "task     handed to the agent: “run the tests”",
    ),
    (
        screen.TaskSteered(turn_id="turn_1", request="only in core", by_voice=True),
        "task     changed while it runs: “only in core”",
    ),
    (screen.TaskStopping(turn_id="turn_1"), "task     stopping"),
    (
        screen.TaskEnded(turn_id="turn_1", outcome=core.Outcome.COMPLETED, elapsed_s=1.26),
        "task     finished after 1.3 s",
    ),
    (
        screen.TaskEnded(turn_id="turn_1", outcome=core.Outcome.INTERRUPTED, elapsed_s=2.0),
        "task     stopped after 2.0 s",
    ),
    (
        screen.TaskEnded(turn_id="turn_1", outcome=core.Outcome.FAILED, elapsed_s=2.0, error="no git here"),
        "task     failed after 2.0 s: no git here",
    ),
    (
        screen.TaskEnded(turn_id="turn_1", outcome=core.Outcome.FAILED, elapsed_s=2.0),
        "task     failed after 2.0 s: no reason given",
    ),
    (screen.StatusAnswered(text="Still at it."), "status   Still at it."),
    (screen.PlaybackCut(item_id="item_1", heard_ms=1250), "voice    (interrupted after 1.2 s)"),
    (screen.Warned(message="slow"), "warning  slow"),
    (screen.ConversationFailed(message="no quota"), "error    no quota"),
    (screen.ConversationClosed(reason=screen.CloseReason.REQUESTED), "end      the conversation is over"),
    (
        screen.ConversationClosed(reason=screen.CloseReason.TRANSPORT_CLOSED, detail="code 1011"),
        "end      the realtime server ended the conversation (code 1011)",
    ),
    (
        screen.ConversationClosed(reason=screen.CloseReason.TRANSPORT_CLOSED),
        "end      the realtime server ended the conversation (no reason given)",
    ),
    (
        screen.ConversationClosed(reason=screen.CloseReason.ERROR),
        "end      the conversation ended because of an error",
    ),
    (core.AgentThoughtDelta(turn_id="turn_1", delta="**Look"), None),
    (core.AgentThought(turn_id="turn_1", parts=("**Looking**\n\nHere.",)), "thinks   Looking"),
    (core.AgentMessageDelta(turn_id="turn_1", delta="All"), None),
    (core.AgentMessageDropped(turn_id="turn_1"), None),
    (core.AgentMessage(turn_id="turn_1", text="All pass.", phase=core.Phase.FINAL), "agent    All pass."),
    (core.AgentCommandStarted(turn_id="turn_1", command_id="1", command="git log"), "agent $  git log"),
    (core.AgentCommandOutput(turn_id="turn_1", command_id="1", text="..."), None),
    (
        core.AgentCommandEnded(turn_id="turn_1", command_id="1", exit_status=1, elapsed_s=0.04),
        "agent $  exit status 1 after 0.0 s",
    ),
    (
        core.AgentCommandEnded(turn_id="turn_1", command_id="1", exit_status=None, elapsed_s=3.0),
        "agent $  stopped after 3.0 s",
    ),
    (core.AgentTurnEnded(turn_id="turn_1", outcome=core.Outcome.COMPLETED), None),
    (ReplyHeard(latency_ms=640), "latency  640 ms from your last word to the first sound of the answer"),
    (Notice(message="nothing here can speak"), "note     nothing here can speak"),
]


def printed(event: ShownEvent, *, t: float = 12.345, colour: bool = False) -> str:
    out = io.StringIO()
    Lines(out, colour=colour).show(t, event)
    return out.getvalue()


def test_every_event_has_an_example_here() -> None:
    assert {type(event) for event, _ in LINES} == set(members(ShownEvent))


@pytest.mark.parametrize(("event", "line"), LINES)
def test_an_event_is_one_line_or_nothing(event: ShownEvent, line: str | None) -> None:
    assert printed(event) == ("" if line is None else f"  12.35  {line}\n")


@pytest.mark.parametrize("event", [event for event, line in LINES if line is not None])
def test_colour_changes_only_the_label(event: ShownEvent) -> None:
    plain = re.sub("\x1b\\[[0-9;]*m", "", printed(event, colour=True))
    assert plain == printed(event)
    assert printed(event, colour=True).count("\x1b") == 2


@pytest.mark.parametrize(
    "event",
    [
        screen.TranscriptDone(speaker="assistant", text=NASTY),
        screen.TaskStarted(turn_id="turn_1", request=NASTY, by_voice=True),
        screen.ConversationFailed(message=NASTY),
        screen.ConversationClosed(reason=screen.CloseReason.TRANSPORT_CLOSED, detail=NASTY),
        core.AgentCommandStarted(turn_id="turn_1", command_id="1", command=NASTY),
        core.AgentMessage(turn_id="turn_1", text=f"{NASTY}\n\n{NASTY}", phase=core.Phase.FINAL),
        screen.TaskEnded(turn_id="turn_1", outcome=core.Outcome.FAILED, elapsed_s=1.0, error=NASTY),
        Notice(message=NASTY),
    ],
)
def test_nothing_that_is_shown_can_steer_the_terminal(event: ShownEvent) -> None:
    shown = printed(event)
    assert shown.replace("\n", "").isprintable()
    # Everything begins where a line of ours begins.
    assert all(re.match(r" *\d+\.\d\d  |" + " " * 18, line) for line in shown.splitlines())


def test_a_long_text_is_wrapped() -> None:
    text = " ".join(f"word{n}" for n in range(100))
    lines = printed(screen.TranscriptDone(speaker="assistant", text=text)).splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 118
    assert all(line.startswith(" " * 18 + "word") for line in lines[1:])
    assert " ".join(line[18:] for line in lines) == text


def test_a_long_word_is_wrapped_too() -> None:
    lines = printed(screen.TranscriptDone(speaker="user", text="x" * 250)).splitlines()
    assert [len(line[18:]) for line in lines] == [100, 100, 50]


def test_an_empty_text_is_still_a_line() -> None:
    assert printed(screen.TranscriptDone(speaker="user", text="")) == "  12.35  you      \n"


def test_what_follows_the_spoken_part_of_a_message_is_indented_and_cut() -> None:
    detail = "\n".join(f"    line {n}" for n in range(20))
    message = core.AgentMessage(turn_id="turn_1", text=f"Two fail.\n\n{detail}", phase=core.Phase.FINAL)
    lines = printed(message).splitlines()
    assert lines[0] == "  12.35  agent    Two fail."
    assert lines[1] == " " * 18 + "    line 0"
    assert lines[12] == " " * 18 + "    line 11"
    assert lines[13] == " " * 18 + "… 8 more lines"
    assert len(lines) == 14


@pytest.mark.parametrize("event", [event for event, _ in LINES])
def test_json_is_one_object_a_line(event: ShownEvent) -> None:
    out = io.StringIO()
    JsonLines(out).show(1.23456, event)
    text = out.getvalue()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    fields = json.loads(text)
    assert list(fields)[:2] == ["t", "type"]
    assert fields["t"] == 1.235
    assert fields["type"] == type(event).__struct_config__.tag


def test_json_keeps_what_a_terminal_must_not_see() -> None:
    out = io.StringIO()
    JsonLines(out).show(0.0, screen.TranscriptDone(speaker="user", text=NASTY))
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue())["text"] == NASTY


def test_half_a_surrogate_pair_harms_nothing() -> None:
    event = screen.TypedText(text="run \udcff this")
    out = io.StringIO()
    JsonLines(out).show(0.0, event)
    assert json.loads(out.getvalue())["text"] == "run ? this"
    assert printed(event).encode() == b"  12.35  you type run   this\n"
