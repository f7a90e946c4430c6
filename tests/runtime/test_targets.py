from __future__ import annotations

from typing import Any, Final

import pytest

from backchannel.config import OPENAI, Config, Provider, Realtime
from backchannel.errors import ConfigError, UsageError
from backchannel.runtime import AtAddress, Backend, LocalEngine, OfProvider, Target, choose_backend, server_target

MINE: Final = Provider(
    request_max_retries=2,
    id="mine",
    base_url="https://example.com/v1",
    experimental_bearer_token="sk-planted",
    query_params={"api-version": "1"},
    http_headers={"x-team": "a"},
)
WS: Final = "ws://127.0.0.1:1"
CALLS: Final = "http://127.0.0.1:2"


def config(*, model_provider: str | None = None, **realtime: Any) -> Config:
    return Config(realtime=Realtime(**realtime), model_provider=model_provider, providers={"mine": MINE})


@pytest.mark.parametrize(
    ("given", "asked", "backend"),
    [
        (config(), None, LocalEngine()),
        (config(backend="local"), None, LocalEngine()),
        (config(backend="local", base_url=WS, model_provider="mine"), None, LocalEngine()),
        (config(backend="openai"), "local", LocalEngine()),
        (config(model_provider="mine", base_url=WS), "local", LocalEngine()),
        (config(backend=WS), None, AtAddress(WS)),
        (config(backend="local", model_provider="mine"), WS, AtAddress(WS)),
        (config(backend="openai", model_provider="mine"), None, OfProvider(OPENAI)),
        (config(backend="openai", base_url=WS, call_base_url=CALLS), None, OfProvider(OPENAI, WS, CALLS)),
        (config(backend="local", base_url=WS, model_provider="mine"), "openai", OfProvider(OPENAI)),
        (config(base_url=WS), None, OfProvider(OPENAI, WS)),
        (config(model_provider="openai"), None, OfProvider(OPENAI)),
        (config(model_provider="mine", call_base_url=CALLS), None, OfProvider(MINE, None, CALLS)),
        # Where calls are created alone is no wish for another voice than the local one.
        (config(call_base_url=CALLS), None, LocalEngine()),
    ],
)
def test_the_server_is_the_one_asked_for_else_the_configured_one_else_the_local_engine(
    given: Config, asked: str | None, backend: Backend
) -> None:
    assert choose_backend(given, asked=asked) == backend


def test_who_has_logged_in_wants_no_local_engine() -> None:
    assert choose_backend(config(), logged_in=True) == OfProvider(OPENAI)
    assert choose_backend(config(backend="local"), logged_in=True) == LocalEngine()


def test_an_unknown_server_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"unknown realtime target 'azure'; choose one of: local, openai, or give"):
        choose_backend(config(), asked="azure")
    with pytest.raises(UsageError, match="unknown realtime target ''"):
        choose_backend(config(), asked="")


def test_a_provider_that_nobody_defined_is_refused_only_where_it_counts() -> None:
    given = config(model_provider="other")

    assert choose_backend(given, asked="local") == LocalEngine()
    with pytest.raises(ConfigError, match=r"model_provider: expected openai, or a provider that is defined as"):
        choose_backend(given)


def parts(target: Target) -> dict[str, object]:
    return {name: getattr(target, name) for name in Target.__dataclass_fields__}


def test_a_provider_is_reached_with_all_that_it_wants() -> None:
    assert parts(server_target(OfProvider(MINE), env={"A": "b"})) == {
        "base_url": "https://example.com/v1",
        "call_base_url": "https://example.com/v1",
        "sideband_base_url": None,
        "model": None,
        "api_key": "sk-planted",
        "headers": {"x-team": "a"},
        "params": (("api-version", "1"),),
        "n_retries": 2,
        "env": {"A": "b"},
    }


@pytest.mark.parametrize(
    ("backend", "changes"),
    [
        (OfProvider(MINE, WS), {"base_url": WS, "sideband_base_url": WS}),
        (OfProvider(MINE, None, CALLS), {"call_base_url": CALLS}),
        (OfProvider(MINE, WS, CALLS), {"base_url": WS, "sideband_base_url": WS, "call_base_url": CALLS}),
    ],
)
def test_an_override_moves_its_own_requests_only(backend: OfProvider, changes: dict[str, object]) -> None:
    assert parts(server_target(backend, env={})) == parts(server_target(OfProvider(MINE), env={})) | changes


def test_a_server_at_an_address_gets_our_own_key_only() -> None:
    env = {"OPENAI_API_KEY": "sk-theirs", "OPENAI_ORGANIZATION": "org"}
    target = server_target(AtAddress(WS), env=env, stored_key="sk-login")
    assert (target.base_url, target.api_key, target.headers, target.call_base_url) == (WS, None, {}, None)
    assert server_target(AtAddress(WS), env={"BACKCHANNEL_API_KEY": "sk-ours"}).api_key == "sk-ours"


def test_a_websocket_needs_a_key_and_a_call_does_not() -> None:
    provider = Provider(id="mine")
    with pytest.raises(UsageError, match="no API key for the realtime server of the provider mine"):
        server_target(OfProvider(provider), env={})
    assert server_target(OfProvider(provider), env={}, for_call=True).api_key is None
    assert server_target(OfProvider(provider), env={}, stored_key="sk-login").api_key == "sk-login"


def test_what_was_chosen_is_shown_without_addresses() -> None:
    secret = "ws://me:planted@127.0.0.1"
    assert "planted" not in repr(AtAddress(secret)) + repr(OfProvider(MINE, secret, secret))
