from __future__ import annotations

from typing import Any, Final

import pytest

from backchannel.config import OPENAI, Provider
from backchannel.errors import UsageError
from backchannel.net import call_key, find_api_key, model_key, provider_headers, realtime_key
from tests.planted import API_KEY

THEIRS: Final = "planted-key-theirs"

MINE: Final = Provider(id="mine", base_url="https://example.com/v1")
BOTH: Final = {"BACKCHANNEL_API_KEY": API_KEY, "OPENAI_API_KEY": THEIRS}
NAMED: Final = {**BOTH, "MINE": "planted-key-mine"}


def mine(**changes: Any) -> Provider:
    return Provider(id="mine", **changes)


@pytest.mark.parametrize(
    ("provider", "env", "stored", "key"),
    [
        (
            mine(env_key="MINE", experimental_bearer_token="planted-key-token"),
            NAMED,
            "planted-key-login",
            "planted-key-mine",
        ),
        (mine(env_key="MINE"), {"MINE": " planted-key-mine\n"}, None, "planted-key-mine"),
        (mine(experimental_bearer_token="planted-key-token"), BOTH, "planted-key-login", "planted-key-token"),
        (MINE, BOTH, "planted-key-login", API_KEY),
        (MINE, {"OPENAI_API_KEY": THEIRS}, "planted-key-login", "planted-key-login"),
        (mine(name="OpenAI"), {"OPENAI_API_KEY": THEIRS}, None, THEIRS),
        (OPENAI, BOTH, "planted-key-login", API_KEY),
        (OPENAI, {"OPENAI_API_KEY": THEIRS}, "planted-key-login", "planted-key-login"),
        (OPENAI, {"OPENAI_API_KEY": f" {THEIRS}\n", "BACKCHANNEL_API_KEY": " "}, " ", THEIRS),
    ],
)
def test_the_key_for_a_websocket_is_the_first_of_these(
    provider: Provider, env: dict[str, str], stored: str | None, key: str
) -> None:
    assert realtime_key(provider, env=env, stored_key=stored) == key


@pytest.mark.parametrize("env", [{}, {"OPENAI_API_KEY": ""}, {"BACKCHANNEL_API_KEY": " \t"}])
def test_without_a_key_for_openai_it_is_said_what_to_set(env: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"BACKCHANNEL_API_KEY or OPENAI_API_KEY.*--realtime local"):
        realtime_key(OPENAI, env=env)


def test_without_a_key_for_another_provider_it_is_said_where_its_name_goes() -> None:
    with pytest.raises(UsageError) as caught:
        realtime_key(MINE, env={"OPENAI_API_KEY": THEIRS})
    assert str(caught.value) == (
        "no API key for the realtime server of the provider mine: name its variable as env_key in"
        " [model_providers.mine], or set BACKCHANNEL_API_KEY; or use --realtime local, which needs none"
    )


@pytest.mark.parametrize("env", [BOTH, {**BOTH, "MINE": " "}])
@pytest.mark.parametrize("find", [realtime_key, call_key, model_key])
def test_the_variable_that_a_provider_names_is_the_only_one(env: dict[str, str], find: Any) -> None:
    with pytest.raises(UsageError) as caught:
        find(mine(env_key="MINE", env_key_instructions="Ask Ada."), env=env, stored_key="planted-key-login")
    assert str(caught.value) == ("the provider mine takes its API key from MINE, which is not set: set it; Ask Ada.")
    with pytest.raises(UsageError, match=r"which is not set: set it$"):
        find(mine(env_key="MINE", experimental_bearer_token="planted-key-token"), env=env)


@pytest.mark.parametrize(
    ("provider", "env", "stored", "key"),
    [
        (mine(env_key="MINE"), NAMED, "planted-key-login", "planted-key-mine"),
        (mine(experimental_bearer_token="planted-key-token"), BOTH, "planted-key-login", "planted-key-token"),
        (MINE, BOTH, None, API_KEY),
        (MINE, {"OPENAI_API_KEY": THEIRS}, "planted-key-login", None),
        (mine(requires_openai_auth=True), {}, "planted-key-login", "planted-key-login"),
        (mine(requires_openai_auth=True), {"OPENAI_API_KEY": THEIRS}, None, None),
        (OPENAI, {"OPENAI_API_KEY": THEIRS}, "planted-key-login", "planted-key-login"),
        (OPENAI, {"OPENAI_API_KEY": THEIRS}, None, THEIRS),
        (OPENAI, {}, None, None),
    ],
)
def test_a_call_may_do_without_a_key(
    provider: Provider, env: dict[str, str], stored: str | None, key: str | None
) -> None:
    assert call_key(provider, env=env, stored_key=stored) == key


@pytest.mark.parametrize(
    ("provider", "env", "stored", "key"),
    [
        (mine(env_key="MINE"), NAMED, "planted-key-login", "planted-key-mine"),
        (MINE, BOTH, None, API_KEY),
        (MINE, {"OPENAI_API_KEY": THEIRS}, "planted-key-login", None),
        (mine(requires_openai_auth=True), {}, "planted-key-login", "planted-key-login"),
        (OPENAI, {"OPENAI_API_KEY": THEIRS}, "planted-key-login", "planted-key-login"),
        (OPENAI, {"OPENAI_API_KEY": THEIRS}, None, THEIRS),
    ],
)
def test_a_model_is_sent_the_key_of_a_call(
    provider: Provider, env: dict[str, str], stored: str | None, key: str | None
) -> None:
    assert model_key(provider, env=env, stored_key=stored) == key


def test_a_model_that_wants_a_login_gets_no_request_without_a_key() -> None:
    with pytest.raises(UsageError, match=r"the models of OpenAI: set BACKCHANNEL_API_KEY or OPENAI_API_KEY"):
        model_key(OPENAI, env={})
    with pytest.raises(UsageError, match=r"the models of mine: set BACKCHANNEL_API_KEY, choose another"):
        model_key(mine(requires_openai_auth=True), env={"OPENAI_API_KEY": THEIRS})


def test_another_server_never_gets_the_key_for_openai() -> None:
    assert find_api_key({"OPENAI_API_KEY": THEIRS}) is None
    assert find_api_key({"OPENAI_API_KEY": THEIRS, "BACKCHANNEL_API_KEY": f" {API_KEY} "}) == API_KEY
    assert find_api_key({"BACKCHANNEL_API_KEY": ""}) is None


def test_headers_are_those_that_can_be_sent() -> None:
    provider = mine(
        http_headers={"x-team": "a", "x-who": "nobody", "bad name": "a", "x-lines": "a\r\nb: c", "": "a"},
        env_http_headers={"X-Who": "WHO", "x-blank": "BLANK", "x-missing": "MISSING", "bad\n": "WHO"},
    )

    assert provider_headers(provider, env={"WHO": "ada", "BLANK": " "}) == {"x-team": "a", "X-Who": "ada"}


def test_openai_is_told_the_organization_and_the_project() -> None:
    env = {"OPENAI_ORGANIZATION": "org", "OPENAI_PROJECT": "proj"}

    assert provider_headers(OPENAI, env=env) == {"OpenAI-Organization": "org", "OpenAI-Project": "proj"}
    assert provider_headers(OPENAI, env={}) == {}
