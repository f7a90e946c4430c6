"""The offline workspace agent: it reads a project and runs its tests, and has no language model."""

from backchannel.agents.workspace.agent import WorkspaceAgent, WorkspaceOptions
from backchannel.agents.workspace.grammar import spoken_grammar
from backchannel.agents.workspace.understanding import spoken_intent

__all__ = ["WorkspaceAgent", "WorkspaceOptions", "spoken_grammar", "spoken_intent"]
