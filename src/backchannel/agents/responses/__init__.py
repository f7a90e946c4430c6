"""The agent that works with a language model over the Responses API."""

from backchannel.agents.responses.agent import DEFAULT_MODEL, ResponsesAgent, ResponsesOptions

__all__ = ["DEFAULT_MODEL", "ResponsesAgent", "ResponsesOptions"]
