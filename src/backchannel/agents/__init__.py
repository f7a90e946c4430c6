"""Background agents: what does the work. Each is loaded when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from backchannel.agents.base import EARLIER_ENTRIES, Agent, TurnRequest
from backchannel.agents.choice import AGENT_NAMES, choose_agent, make_agent

if TYPE_CHECKING:
    from backchannel.agents.responses import ResponsesAgent, ResponsesOptions
    from backchannel.agents.workspace import WorkspaceAgent, WorkspaceOptions, spoken_grammar, spoken_intent

__all__ = [
    "AGENT_NAMES",
    "EARLIER_ENTRIES",
    "Agent",
    "ResponsesAgent",
    "ResponsesOptions",
    "TurnRequest",
    "WorkspaceAgent",
    "WorkspaceOptions",
    "choose_agent",
    "make_agent",
    "spoken_grammar",
    "spoken_intent",
]

_PLACES: Final = {
    "ResponsesAgent": "responses",
    "ResponsesOptions": "responses",
    "WorkspaceAgent": "workspace",
    "WorkspaceOptions": "workspace",
    "spoken_grammar": "workspace",
    "spoken_intent": "workspace",
}


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{place}"), name)
    return found
