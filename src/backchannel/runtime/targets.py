"""Which realtime server a conversation goes to: what was asked for, else what is configured, else the local engine.

| chosen | sessions | calls | key |
|---|---|---|---|
| `local` | the engine inside this process | - | none |
| an address | there | there | our own variable, where it is set |
| a provider, such as `openai` | `base_url`, else its own | `call_base_url`, else its own | the provider's |

Source: realtime.md 1.2 and 10, app-server.md 2.1 and 2.3.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, TypeAlias

from backchannel.config import OPENAI, Provider
from backchannel.errors import UsageError
from backchannel.net import call_key, find_api_key, provider_headers, realtime_key
from backchannel.runtime.dial import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.config import Config

__all__ = ["AtAddress", "Backend", "LocalEngine", "OfProvider", "choose_backend", "server_target"]

_NAMES: Final = ("local", "openai")


@dataclasses.dataclass(frozen=True, slots=True)
class LocalEngine:
    """The engine inside this process."""


@dataclasses.dataclass(frozen=True, slots=True)
class AtAddress:
    """A server that is known by its address only."""

    base_url: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class OfProvider:
    """A server of a provider."""

    provider: Provider
    base_url: str | None = dataclasses.field(default=None, repr=False)
    """Where websockets are opened instead."""
    call_base_url: str | None = dataclasses.field(default=None, repr=False)
    """Where calls are created instead."""


Backend: TypeAlias = LocalEngine | AtAddress | OfProvider
"""The server that was chosen."""


def choose_backend(config: Config, *, asked: str | None = None, logged_in: bool = False) -> Backend:
    """Choose the server.

    Args:
        config: What is configured.
        asked: `local`, `openai` or an address; it wins over the configuration. None: nobody has asked.
        logged_in: Whether somebody has logged in; then the local engine is no silent substitute.

    Raises:
        UsageError: There is no such server, or nobody has defined the provider.
    """
    realtime = config.realtime
    configured = realtime.base_url is not None or config.model_provider is not None or logged_in
    wish = realtime.backend if asked is None else asked
    match wish if wish is not None or configured else "local":
        case None:
            return OfProvider(config.provider, realtime.base_url, realtime.call_base_url)
        case "local":
            return LocalEngine()
        case "openai" if asked is not None:
            # Who asks for OpenAI by name gets it, wherever the file would lead.
            return OfProvider(OPENAI)
        case "openai":
            return OfProvider(OPENAI, realtime.base_url, realtime.call_base_url)
        case address if "://" in address:
            return AtAddress(address)
        case unknown:
            raise UsageError(
                f"unknown realtime target {unknown!r}; choose one of: {', '.join(_NAMES)},"
                " or give an address such as ws://127.0.0.1:8765"
            )


def server_target(
    backend: AtAddress | OfProvider, *, env: Mapping[str, str], for_call: bool = False, stored_key: str | None = None
) -> Target:
    """How a server is reached; the local engine tells its address itself.

    Args:
        backend: What was chosen.
        env: Where keys, proxies and trusted certificates are configured.
        for_call: Whether the session is that of a WebRTC call, which may do without a key.
        stored_key: The key of the login.

    Raises:
        UsageError: The key is missing; says what to set.
    """
    match backend:
        case AtAddress(base_url=base_url):
            return Target(base_url=base_url, api_key=find_api_key(env), env=env)
        case OfProvider(provider=provider, base_url=base_url, call_base_url=call_base_url):
            find_key = call_key if for_call else realtime_key
            return Target(
                base_url=base_url or provider.base_url,
                call_base_url=call_base_url or provider.base_url,
                sideband_base_url=base_url,
                api_key=find_key(provider, env=env, stored_key=stored_key),
                headers=provider_headers(provider, env=env),
                params=tuple(provider.query_params.items()),
                n_retries=provider.request_max_retries,
                env=env,
            )
