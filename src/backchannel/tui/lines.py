"""The conversation as lines on a terminal, one an event, or as JSON for scripts."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, assert_never

import msgspec

from backchannel import core
from backchannel.core import screen
from backchannel.wire import unicode

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["JsonLines", "Lines", "Notice", "ReplyHeard", "Screen", "ShownEvent", "printable"]

_TOLD_ATTEMPTS: Final = 5
"""Of the attempts to reconnect after the first one, every so-manieth is told."""
_MAX_DETAIL_LINES: Final = 12
_WIDTH: Final = 100
_LABEL_WIDTH: Final = 9


class ReplyHeard(msgspec.Struct, frozen=True, kw_only=True, tag="reply_heard"):
    """The assistant was first heard after the user's last word."""

    latency_ms: int
    """From the end of the user's last word to the first sound of the answer, as heard."""


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag="notice"):
    """Something a person should know about this run."""

    message: str


ShownEvent: TypeAlias = screen.ScreenEvent | ReplyHeard | Notice
"""Everything `talk` prints."""


class Screen(Protocol):
    """Where events are shown."""

    def show(self, t: float, event: ShownEvent) -> None:
        """Show what happened `t` seconds after the start."""


class JsonLines:
    """One JSON object a line: `t`, `type`, and the fields of the event."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, t: float, event: ShownEvent) -> None:
        """Print an event."""
        fields = {"t": round(t, 3), **msgspec.to_builtins(event)}
        self._out.write(msgspec.json.encode(unicode.encodable(fields)).decode() + "\n")
        self._out.flush()


class Lines:
    """Readable lines: when, who, what."""

    def __init__(self, out: TextIO, *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._is_lost = False

    def show(self, t: float, event: ShownEvent) -> None:
        """Print an event; pieces of what is still being said or printed are left out."""
        match event:
            case screen.TranscriptDone(speaker="user", text=text):
                self._line(t, "you", text)
            case screen.TranscriptDone(text=text):
                self._line(t, "voice", text)
            case screen.TypedText(text=text):
                self._line(t, "you type", text)
            case screen.TaskStarted(request=request):
                self._line(t, "task", f"handed to the agent: “{request}”")
            case screen.TaskSteered(request=request):
                self._line(t, "task", f"changed while it runs: “{request}”")
            case screen.TaskQueued(request=request):
                self._line(t, "task", f"kept for afterwards: “{request}”")
            case screen.TaskStopping():
                self._line(t, "task", "stopping")
            case screen.TaskEnded():
                self._line(t, "task", _ending(event))
            case core.AgentThought(parts=parts):
                for part in parts:
                    self._line(t, "thinks", _title(part))
            case core.AgentMessage(text=text):
                self._message(t, text)
            case core.AgentCommandStarted(command=command):
                self._line(t, "agent $", textwrap.shorten(printable(command), _WIDTH, placeholder=" …"))
            case core.AgentCommandEnded():
                self._line(t, "agent $", _command_ending(event))
            case screen.ApprovalNeeded():
                self._needed(t, event)
            case screen.ApprovalSettled():
                self._line(t, "approval", _settlement(event))
            case screen.UpdatesSet(level=level):
                self._line(t, "voice", f"(from now on it tells: {level})")
            case screen.Muted(muted=muted):
                self._line(t, "you", "(the microphone is off)" if muted else "(the microphone is on)")
            case screen.StatusAnswered(text=text):
                self._line(t, "status", text)
            case screen.PlaybackCut(heard_ms=heard_ms):
                self._line(t, "voice", f"(interrupted after {heard_ms / 1000:.1f} s)")
            case ReplyHeard(latency_ms=latency_ms):
                self._line(t, "latency", f"{latency_ms} ms from your last word to the first sound of the answer")
            case screen.ConversationStarted():
                self._line(t, "start", "the conversation is open")
            case screen.ConversationReconnecting():
                if not self._is_lost or event.attempt % _TOLD_ATTEMPTS == 0:
                    self._is_lost = True
                    tries = f"try {event.attempt} in {event.delay_s:.1f} s"
                    self._line(t, "network", f"lost: {event.message}; {tries}")
            case screen.ConversationReconnected(state_restored=restored):
                self._is_lost = False
                self._line(t, "network", "back" + (", and the voice knows what was said" if restored else ""))
            case screen.CallAnswered():
                self._line(t, "start", "the call is answered")
            case screen.Warned(message=message):
                self._line(t, "warning", message)
            case screen.ConversationFailed(message=message):
                self._line(t, "error", message)
            case screen.ConversationClosed():
                self._line(t, "end", _closing(event))
            case Notice(message=message):
                self._line(t, "note", message)
            case (
                screen.SpeechStarted()
                | screen.SpeechEnded()
                | screen.TranscriptDelta()
                | core.AgentThoughtDelta()
                | core.AgentMessageDelta()
                | core.AgentMessageDropped()
                | core.AgentCommandOutput()
                | core.AgentApprovalRequested()
                | core.AgentApprovalWithdrawn()
                | core.AgentTurnEnded()
            ):
                pass
            case _:
                assert_never(event)

    def _needed(self, t: float, event: screen.ApprovalNeeded) -> None:
        risks = f" ({', '.join(risk.value.replace('_', ' ') for risk in event.risks)})" if event.risks else ""
        how = "on the screen only: " if event.on_screen_only else "say yes or no, or "
        answers = f"/approve {event.approval_id} or /decline {event.approval_id}"
        self._line(t, "approval", f"may the agent {event.action}?{risks} {how}{answers}")
        self._detail(event.detail)

    def _message(self, t: float, text: str) -> None:
        spoken, _, detail = text.strip().partition("\n\n")
        self._line(t, "agent", spoken)
        self._detail(detail)

    def _detail(self, detail: str) -> None:
        lines = detail.splitlines()
        for line in lines[:_MAX_DETAIL_LINES]:
            self._write(" " * (9 + _LABEL_WIDTH) + printable(line))
        if len(lines) > _MAX_DETAIL_LINES:
            self._write(" " * (9 + _LABEL_WIDTH) + f"… {len(lines) - _MAX_DETAIL_LINES} more lines")

    def _line(self, t: float, label: str, text: str) -> None:
        first, *rest = textwrap.wrap(printable(text), _WIDTH) or [""]
        shown = f"{label:<{_LABEL_WIDTH}}"
        if self._colour:
            shown = f"\x1b[{_COLOURS.get(label, '0')}m{shown}\x1b[0m"
        self._write(f"{t:7.2f}  {shown}{first}")
        for line in rest:
            self._write(" " * (9 + _LABEL_WIDTH) + line)

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


_COLOURS: Final = {
    "you": "1;36",
    "you type": "1;36",
    "voice": "1;32",
    "agent": "33",
    "agent $": "2",
    "thinks": "2",
    "task": "35",
    "status": "35",
    "approval": "1;35",
    "network": "33",
    "latency": "2",
    "start": "2",
    "end": "2",
    "note": "2",
    "warning": "33",
    "error": "1;31",
}


def printable(text: str) -> str:
    """Text that cannot steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _title(thought: str) -> str:
    """The first line of what the agent thinks, which often is a title in bold type."""
    first = printable(thought.strip().partition("\n")[0]).strip("*# ")
    return textwrap.shorten(first, _WIDTH, placeholder=" …")


def _ending(event: screen.TaskEnded) -> str:
    took = f"after {event.elapsed_s:.1f} s"
    match event.outcome:
        case core.Outcome.COMPLETED:
            return f"finished {took}"
        case core.Outcome.INTERRUPTED:
            return f"stopped {took}"
        case core.Outcome.FAILED:
            return f"failed {took}: {event.error or 'no reason given'}"


def _settlement(event: screen.ApprovalSettled) -> str:
    words = f": “{event.words}”" if event.words else ""
    match event.decision:
        case screen.ApprovalDecision.APPROVED:
            return f"approved{words}"
        case screen.ApprovalDecision.DECLINED:
            return f"declined{words}"
        case screen.ApprovalDecision.EXPIRED:
            return "declined, because nobody answered in time"
        case screen.ApprovalDecision.WITHDRAWN:
            return "not needed any more"


def _command_ending(event: core.AgentCommandEnded) -> str:
    how = "stopped" if event.exit_status is None else f"exit status {event.exit_status}"
    return f"{how} after {event.elapsed_s:.1f} s"


def _closing(event: screen.ConversationClosed) -> str:
    match event.reason:
        case screen.CloseReason.REQUESTED:
            return "the conversation is over"
        case screen.CloseReason.TRANSPORT_CLOSED:
            return f"the realtime server ended the conversation ({event.detail or 'no reason given'})"
        case screen.CloseReason.ERROR:
            return "the conversation ended because of an error"
