"""The conversation core: pure machines that decide. Start reading at `conversation.py`."""

from backchannel.core import effects, events, recording, screen
from backchannel.core.briefing import Briefing, Note
from backchannel.core.conversation import Activity, Conversation, State
from backchannel.core.delegation import parse_delegation, render_delegation
from backchannel.core.floor import Speech
from backchannel.core.handoff import Task
from backchannel.core.options import Options
from backchannel.core.reports import (
    AgentApprovalRequested,
    AgentApprovalWithdrawn,
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    AgentMessageDelta,
    AgentMessageDropped,
    AgentReport,
    AgentThought,
    AgentThoughtDelta,
    AgentTurnEnded,
    FileChange,
    Outcome,
    Phase,
    Risk,
    TokensUsed,
)
from backchannel.core.transcript import Utterance

__all__ = [
    "Activity",
    "AgentApprovalRequested",
    "AgentApprovalWithdrawn",
    "AgentCommandEnded",
    "AgentCommandOutput",
    "AgentCommandStarted",
    "AgentMessage",
    "AgentMessageDelta",
    "AgentMessageDropped",
    "AgentReport",
    "AgentThought",
    "AgentThoughtDelta",
    "AgentTurnEnded",
    "Briefing",
    "Conversation",
    "FileChange",
    "Note",
    "Options",
    "Outcome",
    "Phase",
    "Risk",
    "Speech",
    "State",
    "Task",
    "TokensUsed",
    "Utterance",
    "effects",
    "events",
    "parse_delegation",
    "recording",
    "render_delegation",
    "screen",
]
