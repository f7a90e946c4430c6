"""Talk to your coding agent while it works.

What somebody needs who builds on Backchannel can be imported from here; it is loaded when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backchannel.agents import Agent, TurnRequest
    from backchannel.config import Config, load_config
    from backchannel.context import Gatherer, StartRequest, default_prompt, resolve_session
    from backchannel.runtime import Conversation, Player, Recorder, Settings, Target
    from backchannel.threads import Journal, MemoryThreads, Thread, ThreadStore

__all__ = [
    "Agent",
    "Config",
    "Conversation",
    "Gatherer",
    "Journal",
    "MemoryThreads",
    "Player",
    "Recorder",
    "Settings",
    "StartRequest",
    "Target",
    "Thread",
    "ThreadStore",
    "TurnRequest",
    "__version__",
    "default_prompt",
    "load_config",
    "resolve_session",
]

__version__ = "0.1.0"

_ROOMS: Final = {
    "Agent": "agents",
    "Config": "config",
    "Conversation": "runtime",
    "Gatherer": "context",
    "Journal": "threads",
    "MemoryThreads": "threads",
    "Player": "runtime",
    "Recorder": "runtime",
    "Settings": "runtime",
    "StartRequest": "context",
    "Target": "runtime",
    "Thread": "threads",
    "ThreadStore": "threads",
    "TurnRequest": "agents",
    "default_prompt": "context",
    "load_config": "config",
    "resolve_session": "context",
}


def __getattr__(name: str) -> object:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{room}"), name)
    return found
