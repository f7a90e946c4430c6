"""The agents by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backchannel.config import Config
from backchannel.errors import UsageError
from backchannel.net import model_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from backchannel.agents.base import Agent
    from backchannel.threads import Entry

__all__ = ["AGENT_NAMES", "choose_agent", "make_agent"]

AGENT_NAMES: Final = ("workspace", "responses")


def choose_agent(config: Config, *, stored_key: str | None) -> str:
    """The agent of somebody who has not named one: the one with a model, where a model can be reached."""
    configured = config.model.model is not None or config.model_provider is not None
    return "responses" if configured or stored_key is not None else "workspace"


def make_agent(
    name: str,
    *,
    cwd: Path,
    env: Mapping[str, str],
    config: Config | None = None,
    stored_key: str | None = None,
    thread_id: str | None = None,
    earlier: Iterable[Entry] = (),
    on_notice: Callable[[str], None] = lambda _: None,
) -> Agent:
    """The agent of this name, working in a folder; the caller closes it.

    Args:
        name: One of `AGENT_NAMES`.
        cwd: The folder, absolute.
        env: What its commands find in their environment, and where keys and proxies are configured.
        config: Which model an agent that has one works with, and what it may do; None: nothing is configured.
        stored_key: The key of the login.
        thread_id: The thread that it is going to work for, where there is one.
        earlier: What is kept of that thread, so that an agent which remembers nothing itself can go on with it.
        on_notice: Is told what a person should know of an agent and is no report of its work.

    Raises:
        UsageError: There is no such agent, or something that it needs is missing; says what.
    """
    match name:
        case "workspace":
            from backchannel.agents.workspace import WorkspaceAgent

            return WorkspaceAgent(cwd=cwd, env=env)
        case "responses":
            from backchannel.agents.responses import ResponsesAgent, ResponsesOptions

            configured = Config() if config is None else config
            provider = configured.provider
            options = ResponsesOptions(
                provider=provider,
                model=configured.model,
                api_key=model_key(provider, env=env, stored_key=stored_key),
            )
            return ResponsesAgent(
                cwd=cwd, options=options, env=env, thread_id=thread_id, earlier=earlier, on_notice=on_notice
            )
        case _:
            raise UsageError(f"unknown agent {name!r}; choose one of: {', '.join(AGENT_NAMES)}")
