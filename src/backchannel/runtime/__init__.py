"""Running conversations: the core joined to the world. Start reading at `conversation.py`."""

from backchannel.runtime.call import create_call, join_sideband
from backchannel.runtime.conversation import Conversation, Player, Watcher
from backchannel.runtime.dial import Target, dial
from backchannel.runtime.opening import Settings
from backchannel.runtime.recorder import Recorder
from backchannel.runtime.targets import (
    AtAddress,
    Backend,
    LocalEngine,
    OfProvider,
    choose_backend,
    server_target,
)
from backchannel.runtime.tasks import Tasks
from backchannel.runtime.transport import Join, OverExistingCall, OverWebRtc, OverWebSocket, Transport

__all__ = [
    "AtAddress",
    "Backend",
    "Conversation",
    "Join",
    "LocalEngine",
    "OfProvider",
    "OverExistingCall",
    "OverWebRtc",
    "OverWebSocket",
    "Player",
    "Recorder",
    "Settings",
    "Target",
    "Tasks",
    "Transport",
    "Watcher",
    "choose_backend",
    "create_call",
    "dial",
    "join_sideband",
    "server_target",
]
