"""The agent that works with a language model over the Responses API."""

from backchannel.agents.responses.agent import ResponsesAgent, ResponsesOptions

__all__ = ["ResponsesAgent", "ResponsesOptions"]
