"""What is remembered of the work: threads, what was said and done in them, and where it is kept."""

from backchannel.threads.digest import (
    OpenTask,
    PastConversation,
    last_tests,
    open_tasks,
    past_conversation,
)
from backchannel.threads.encoding import decode_entry, encode_entry, encode_value
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
from backchannel.threads.ids import new_thread_id
from backchannel.threads.journal import Journal
from backchannel.threads.listing import Direction, Page, SortKey, ThreadQuery, TurnQuery
from backchannel.threads.memory import MemoryThreads
from backchannel.threads.sqlite import STORE_NAME, SqliteThreads
from backchannel.threads.store import PlacedEntry, ThreadChange, ThreadStore
from backchannel.threads.turns import Approval, Turn, TurnItem, TurnStatus, status_of
from backchannel.threads.writer import ThreadWriter, Write

__all__ = [
    "STORE_NAME",
    "AgentSaid",
    "Approval",
    "ApprovalAsked",
    "ApprovalSettled",
    "Direction",
    "Entry",
    "Journal",
    "MemoryThreads",
    "OpenTask",
    "Page",
    "PastConversation",
    "PeerSaid",
    "PlacedEntry",
    "RanTests",
    "SortKey",
    "Source",
    "Spoken",
    "SqliteThreads",
    "Thread",
    "ThreadChange",
    "ThreadQuery",
    "ThreadStore",
    "ThreadWriter",
    "Turn",
    "TurnBegan",
    "TurnEnded",
    "TurnItem",
    "TurnQuery",
    "TurnStatus",
    "UserAsked",
    "VoiceBegan",
    "VoiceEnded",
    "Write",
    "decode_entry",
    "encode_entry",
    "encode_value",
    "last_tests",
    "new_thread_id",
    "open_tasks",
    "past_conversation",
    "status_of",
]
