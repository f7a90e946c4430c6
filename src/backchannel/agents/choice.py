"""The agents by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backchannel.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from backchannel.agents.base import Agent

__all__ = ["AGENT_NAMES", "make_agent"]

AGENT_NAMES: Final = ("workspace",)


def make_agent(name: str, *, cwd: Path, env: Mapping[str, str]) -> Agent:
    """The agent of this name, working in a folder; the caller closes it.

    Args:
        name: One of `AGENT_NAMES`.
        cwd: The folder, absolute.
        env: What its commands find in their environment.

    Raises:
        UsageError: There is no such agent.
    """
    match name:
        case "workspace":
            from backchannel.agents.workspace import WorkspaceAgent

            return WorkspaceAgent(cwd=cwd, env=env)
        case _:
            raise UsageError(f"unknown agent {name!r}; choose one of: {', '.join(AGENT_NAMES)}")
