"""What a person (or a program in their place) is shown of a conversation.

The runtime hands these on unchanged; `talk --json` prints them. Reports of the agent are shown as they came.
"""

from __future__ import annotations

import enum
from typing import Literal, TypeAlias

import msgspec

from backchannel.core.reports import AgentReport, Outcome, Risk

__all__ = [
    "AnsweredBy",
    "ApprovalDecision",
    "ApprovalNeeded",
    "ApprovalSettled",
    "CallAnswered",
    "CloseReason",
    "ConversationClosed",
    "ConversationFailed",
    "ConversationReconnected",
    "ConversationReconnecting",
    "ConversationStarted",
    "Muted",
    "PlaybackCut",
    "ScreenEvent",
    "Speaker",
    "SpeechEnded",
    "SpeechStarted",
    "StatusAnswered",
    "TaskEnded",
    "TaskQueued",
    "TaskStarted",
    "TaskSteered",
    "TaskStopping",
    "TranscriptDelta",
    "TranscriptDone",
    "TypedText",
    "UpdatesSet",
    "Warned",
]

Speaker: TypeAlias = Literal["user", "assistant"]


class CloseReason(enum.Enum):
    """Why a conversation ended. Source: realtime.md 7.2."""

    REQUESTED = "requested"
    TRANSPORT_CLOSED = "transport_closed"
    ERROR = "error"


class ConversationStarted(msgspec.Struct, frozen=True, kw_only=True, tag="conversation_started"):
    """The conversation is live."""


class ConversationReconnecting(msgspec.Struct, frozen=True, kw_only=True, tag="conversation_reconnecting"):
    """The realtime server was lost and is called again; what is typed meanwhile is kept, what is said is not heard."""

    attempt: int
    """The first is 1."""
    delay_s: float
    """How long is waited before it."""
    message: str
    """Why it was lost, or why the attempt before failed."""


class ConversationReconnected(msgspec.Struct, frozen=True, kw_only=True, tag="conversation_reconnected"):
    """The conversation goes on in a new session of the realtime server."""

    state_restored: bool
    """Whether the new session was told what was said before."""


class Muted(msgspec.Struct, frozen=True, kw_only=True, tag="muted"):
    """The microphone was switched off or on; while it is off nothing of it leaves the process."""

    muted: bool


class CallAnswered(msgspec.Struct, frozen=True, kw_only=True, tag="call_answered"):
    """The server answered the offer of a WebRTC call; comes once, after `conversation_started`."""

    sdp: str
    """The answer, as it came. It names network addresses: not for logs."""

    def __repr__(self) -> str:
        """Without the description: what is printed or logged need not know it."""
        return "CallAnswered(sdp=...)"


class SpeechStarted(msgspec.Struct, frozen=True, kw_only=True, tag="speech_started"):
    """The user began to speak."""


class SpeechEnded(msgspec.Struct, frozen=True, kw_only=True, tag="speech_ended"):
    """The user fell silent."""


class TranscriptDelta(msgspec.Struct, frozen=True, kw_only=True, tag="transcript_delta"):
    """A piece of what somebody says."""

    speaker: Speaker
    delta: str


class TranscriptDone(msgspec.Struct, frozen=True, kw_only=True, tag="transcript_done"):
    """What somebody said, whole."""

    speaker: Speaker
    text: str


class TypedText(msgspec.Struct, frozen=True, kw_only=True, tag="typed_text"):
    """The user typed this to the agent."""

    text: str


class TaskStarted(msgspec.Struct, frozen=True, kw_only=True, tag="task_started"):
    """The agent was given a task."""

    turn_id: str
    request: str
    """In the words in which it was asked."""
    by_voice: bool


class TaskSteered(msgspec.Struct, frozen=True, kw_only=True, tag="task_steered"):
    """The running task was given a change."""

    turn_id: str
    request: str
    by_voice: bool


class TaskQueued(msgspec.Struct, frozen=True, kw_only=True, tag="task_queued"):
    """Something was asked for that is to be done after the running task; a stop drops it too."""

    request: str
    by_voice: bool


class TaskStopping(msgspec.Struct, frozen=True, kw_only=True, tag="task_stopping"):
    """The running task was told to stop."""

    turn_id: str


class TaskEnded(msgspec.Struct, frozen=True, kw_only=True, tag="task_ended"):
    """The task is over."""

    turn_id: str
    outcome: Outcome
    elapsed_s: float
    error: str | None = None


class ApprovalNeeded(msgspec.Struct, frozen=True, kw_only=True, tag="approval_needed"):
    """The agent waits for the user's permission."""

    turn_id: str
    approval_id: str
    action: str
    """What it wants to do, as one could say it after "May I"."""
    detail: str
    risks: tuple[Risk, ...]
    on_screen_only: bool
    """Whether it is too risky to be answered by voice."""


class ApprovalDecision(enum.Enum):
    """What became of a request for permission."""

    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    """Nobody answered in time; to the agent that is a no."""
    WITHDRAWN = "withdrawn"
    """The agent did not wait for the answer, or its turn is over."""


class AnsweredBy(enum.Enum):
    """Who settled it."""

    VOICE = "voice"
    HAND = "hand"
    """On the screen."""
    NOBODY = "nobody"


class ApprovalSettled(msgspec.Struct, frozen=True, kw_only=True, tag="approval_settled"):
    """A request for permission is settled, once."""

    turn_id: str
    approval_id: str
    decision: ApprovalDecision
    by: AnsweredBy
    words: str = ""
    """What the user said, where the voice settled it."""


class UpdatesSet(msgspec.Struct, frozen=True, kw_only=True, tag="updates_set"):
    """How much the voice says unasked was changed."""

    level: str
    """As `Options.speech` has it."""


class StatusAnswered(msgspec.Struct, frozen=True, kw_only=True, tag="status_answered"):
    """Somebody asked how the work is going."""

    text: str


class PlaybackCut(msgspec.Struct, frozen=True, kw_only=True, tag="playback_cut"):
    """The user spoke over the assistant, which fell silent."""

    item_id: str | None
    heard_ms: int


class Warned(msgspec.Struct, frozen=True, kw_only=True, tag="warned"):
    """Something went wrong and the conversation goes on."""

    message: str


class ConversationFailed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="conversation_failed"):
    """Something went wrong that ends the conversation, or kept it from starting."""

    message: str
    went_on: bool = False
    """Whether the conversation before it goes on: this one was to take its place and could not start."""


class ConversationClosed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="conversation_closed"):
    """The conversation is over; the last event of a conversation that started."""

    reason: CloseReason
    detail: str | None = None
    """What the server said when it ended the session."""
    replaced: bool = False
    """Whether another conversation takes its place, which starts next."""


ScreenEvent: TypeAlias = (
    ConversationStarted
    | ConversationReconnecting
    | ConversationReconnected
    | Muted
    | CallAnswered
    | SpeechStarted
    | SpeechEnded
    | TranscriptDelta
    | TranscriptDone
    | TypedText
    | TaskStarted
    | TaskSteered
    | TaskQueued
    | TaskStopping
    | TaskEnded
    | ApprovalNeeded
    | ApprovalSettled
    | UpdatesSet
    | StatusAnswered
    | PlaybackCut
    | Warned
    | ConversationFailed
    | ConversationClosed
    | AgentReport
)
"""Everything a screen may be shown."""
