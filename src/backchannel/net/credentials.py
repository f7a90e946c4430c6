"""Keys and headers of a provider: where they come from. They are passed as values and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backchannel.config import OPENAI
from backchannel.errors import UsageError
from backchannel.net.headers import is_sendable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.config import Provider

__all__ = ["KEY_VARIABLES", "call_key", "find_api_key", "model_key", "provider_headers", "realtime_key"]

KEY_VARIABLES: Final = ("BACKCHANNEL_API_KEY", "OPENAI_API_KEY")


def realtime_key(provider: Provider, *, env: Mapping[str, str], stored_key: str | None = None) -> str:
    """The key for a realtime websocket.

    In this order: the variable that the provider names, and no other where it names one; the key that stands in the
    configuration; our own variable, which is set for this run; the key of the login; and for OpenAI the usual variable.

    Args:
        provider: Whose server it is.
        env: The environment.
        stored_key: The key that somebody logged in with; it is used whoever the provider is.

    Raises:
        UsageError: There is none; says what to set.

    Source: realtime.md 3.4, app-server.md 2.4.
    """
    key = _own_key(provider, env) or find_api_key(env) or _clean(stored_key) or _usual_key(provider, env)
    if key is not None:
        return key
    ours, usual = KEY_VARIABLES
    if provider.id == OPENAI.id:
        raise UsageError(f"OpenAI wants an API key: set {ours} or {usual}, or use --realtime local, which needs none")
    raise UsageError(
        f"no API key for the realtime server of the provider {provider.id}: name its variable as env_key in"
        f" [model_providers.{provider.id}], or set {ours}; or use --realtime local, which needs none"
    )


def call_key(provider: Provider, *, env: Mapping[str, str], stored_key: str | None = None) -> str | None:
    """The key for WebRTC calls and the websockets beside them; None: they carry none.

    As for a websocket, but the key of the login, and OpenAI's, only where the provider wants them.

    Raises:
        UsageError: The variable that the provider names is not set.
    """
    own = _own_key(provider, env) or find_api_key(env)
    if own is not None or not provider.requires_openai_auth:
        return own
    return _clean(stored_key) or _usual_key(provider, env)


def model_key(provider: Provider, *, env: Mapping[str, str], stored_key: str | None = None) -> str | None:
    """The key for a model; None: its requests carry none, as those to a server on this machine.

    As for a call, but a provider that wants a login gets no request without a key.

    Raises:
        UsageError: There is none; says what to set.
    """
    key = call_key(provider, env=env, stored_key=stored_key)
    if key is None and provider.requires_openai_auth:
        ours, usual = KEY_VARIABLES
        variables = f"{ours} or {usual}" if provider.is_openai else ours
        raise UsageError(
            f"no API key for the models of {provider.name or provider.id}: set {variables}, choose another"
            " model_provider, or use --agent workspace, which needs none"
        )
    return key


def find_api_key(env: Mapping[str, str]) -> str | None:
    """The key for any server: our own variable only, so that OpenAI's key reaches nobody else."""
    return _clean(env.get(KEY_VARIABLES[0]))


def provider_headers(provider: Provider, *, env: Mapping[str, str]) -> dict[str, str]:
    """The headers that a provider wants on every request. Those from the environment win.

    What cannot be sent is left out.

    Source: app-server.md 2.3.
    """
    from_env = {
        name: env[variable] for name, variable in provider.env_http_headers.items() if _clean(env.get(variable))
    }
    headers: dict[str, tuple[str, str]] = {}
    for name, value in (*provider.http_headers.items(), *from_env.items()):
        if is_sendable(name, value):
            # No name twice in other spelling.
            headers[name.lower()] = (name, value)
    return dict(headers.values())


def _own_key(provider: Provider, env: Mapping[str, str]) -> str | None:
    if provider.env_key is None:
        return _clean(provider.experimental_bearer_token)
    key = _clean(env.get(provider.env_key))
    if key is None:
        how = f"; {provider.env_key_instructions}" if provider.env_key_instructions else ""
        raise UsageError(
            f"the provider {provider.id} takes its API key from {provider.env_key}, which is not set: set it{how}"
        )
    return key


def _usual_key(provider: Provider, env: Mapping[str, str]) -> str | None:
    return _clean(env.get(KEY_VARIABLES[1])) if provider.is_openai else None


def _clean(key: str | None) -> str | None:
    return (key or "").strip() or None
