"""The realtime protocol: dialects between our intents and events and a server's messages."""

from backchannel.wire.realtime import events, intents
from backchannel.wire.realtime.dialect import Abilities, Dialect
from backchannel.wire.realtime.endpoint import websocket_url
from backchannel.wire.realtime.session import TOOLS, Modality, SessionSettings, Tool, ToolParameter
from backchannel.wire.realtime.v2 import V2

__all__ = [
    "TOOLS",
    "V2",
    "Abilities",
    "Dialect",
    "Modality",
    "SessionSettings",
    "Tool",
    "ToolParameter",
    "events",
    "intents",
    "websocket_url",
]
