"""The realtime protocol: dialects between our intents and events and a server's messages."""

from backchannel.wire.realtime import events, intents
from backchannel.wire.realtime.call import CallAnswer, CallRequest, create_call, read_answer
from backchannel.wire.realtime.dialect import Abilities, Dialect, InstructionChange, unexpected_close
from backchannel.wire.realtime.dialects import (
    DEFAULT_DIALECT,
    DIALECTS,
    LISTED_VOICES,
    check_session,
    dialect_named,
)
from backchannel.wire.realtime.endpoint import Endpoint, Path, sideband_url, websocket_url
from backchannel.wire.realtime.live import Live
from backchannel.wire.realtime.session import (
    TOOLS,
    InitialItem,
    Modality,
    Mode,
    SessionSettings,
    Tool,
    ToolParameter,
)
from backchannel.wire.realtime.v1 import V1
from backchannel.wire.realtime.v2 import V2
from backchannel.wire.realtime.v3 import V3

__all__ = [
    "DEFAULT_DIALECT",
    "DIALECTS",
    "LISTED_VOICES",
    "TOOLS",
    "V1",
    "V2",
    "V3",
    "Abilities",
    "CallAnswer",
    "CallRequest",
    "Dialect",
    "Endpoint",
    "InitialItem",
    "InstructionChange",
    "Live",
    "Modality",
    "Mode",
    "Path",
    "SessionSettings",
    "Tool",
    "ToolParameter",
    "check_session",
    "create_call",
    "dialect_named",
    "events",
    "intents",
    "read_answer",
    "sideband_url",
    "unexpected_close",
    "websocket_url",
]
