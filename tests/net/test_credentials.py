from __future__ import annotations

import pytest

from backchannel.errors import UsageError
from backchannel.net import find_api_key, require_api_key
from tests.planted import API_KEY

THEIRS = "planted-key-theirs"


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ({"OPENAI_API_KEY": THEIRS}, THEIRS),
        ({"BACKCHANNEL_API_KEY": API_KEY}, API_KEY),
        ({"OPENAI_API_KEY": THEIRS, "BACKCHANNEL_API_KEY": API_KEY}, API_KEY),
        ({"OPENAI_API_KEY": f" {THEIRS}\n", "BACKCHANNEL_API_KEY": " "}, THEIRS),
    ],
)
def test_openai_gets_our_own_variable_else_the_usual_one(env: dict[str, str], key: str) -> None:
    assert require_api_key(env) == key


@pytest.mark.parametrize("env", [{}, {"OPENAI_API_KEY": ""}, {"BACKCHANNEL_API_KEY": " \t"}])
def test_without_a_key_it_is_said_what_to_set(env: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"BACKCHANNEL_API_KEY or OPENAI_API_KEY.*--realtime local"):
        require_api_key(env)


def test_another_server_never_gets_the_key_for_openai() -> None:
    assert find_api_key({"OPENAI_API_KEY": THEIRS}) is None
    assert find_api_key({"OPENAI_API_KEY": THEIRS, "BACKCHANNEL_API_KEY": f" {API_KEY} "}) == API_KEY
    assert find_api_key({"BACKCHANNEL_API_KEY": ""}) is None
