"""What is remembered of the work: threads, what was said and done in them, and where it is kept."""

from backchannel.threads.digest import (
    FailedTests,
    OpenTask,
    PastConversation,
    failed_tests,
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
    "FailedTests",
    "Journal",
    "MemoryThreads",
    "OpenTask",
    "PastConversation",
    "PeerSaid",
    "RanTests",
    "Spoken",
    "Thread",
    "ThreadStore",
    "TurnBegan",
    "TurnEnded",
    "UserAsked",
    "VoiceBegan",
    "VoiceEnded",
    "failed_tests",
    "open_tasks",
    "past_conversation",
]
