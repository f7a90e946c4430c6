"""Background agents: what does the work."""

from backchannel.agents.base import EARLIER_ENTRIES, Agent, TurnRequest
from backchannel.agents.choice import AGENT_NAMES, choose_agent, make_agent
from backchannel.agents.responses import DEFAULT_MODEL, ResponsesAgent, ResponsesOptions
from backchannel.agents.workspace import WorkspaceAgent, WorkspaceOptions, spoken_grammar, spoken_intent

__all__ = [
    "AGENT_NAMES",
    "DEFAULT_MODEL",
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
