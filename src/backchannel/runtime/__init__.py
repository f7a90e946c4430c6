"""Running conversations: the core joined to the world. Start reading at `conversation.py`."""

from backchannel.runtime.conversation import Conversation, Player, Settings
from backchannel.runtime.dial import Target, dial
from backchannel.runtime.recorder import Recorder

__all__ = ["Conversation", "Player", "Recorder", "Settings", "Target", "dial"]
