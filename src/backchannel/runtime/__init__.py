"""Running conversations: the core joined to the world. Start reading at `conversation.py`."""

from backchannel.runtime.call import create_call, join_sideband
from backchannel.runtime.conversation import Conversation, Player
from backchannel.runtime.dial import Target, dial
from backchannel.runtime.opening import Settings
from backchannel.runtime.recorder import Recorder
from backchannel.runtime.transport import Join, OverExistingCall, OverWebRtc, OverWebSocket, Transport

__all__ = [
    "Conversation",
    "Join",
    "OverExistingCall",
    "OverWebRtc",
    "OverWebSocket",
    "Player",
    "Recorder",
    "Settings",
    "Target",
    "Transport",
    "create_call",
    "dial",
    "join_sideband",
]
