"""What is remembered of the work: threads, what was said and done in them, and where it is kept."""

from backchannel.threads.digest import (
    OpenTask,
    PastConversation,
    last_tests,
    open_tasks,
    past_conversation,
)
from backchannel.threads.entries import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    Entry,
    PeerSaid,
    RanTests,
    Source,
    Spoken,
    Thread,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
)
from backchannel.threads.journal import Journal
from backchannel.threads.memory import MemoryThreads
from backchannel.threads.store import ThreadStore

__all__ = [
    "AgentSaid",
    "ApprovalAsked",
    "ApprovalSettled",
    "Entry",
    "Journal",
    "MemoryThreads",
    "OpenTask",
    "PastConversation",
    "PeerSaid",
    "RanTests",
    "Source",
    "Spoken",
    "Thread",
    "ThreadStore",
    "TurnBegan",
    "TurnEnded",
    "UserAsked",
    "VoiceBegan",
    "VoiceEnded",
    "last_tests",
    "open_tasks",
    "past_conversation",
]
