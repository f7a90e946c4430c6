from __future__ import annotations

import dataclasses

import pytest

from backchannel.wire.realtime import V2, Abilities, Dialect
from backchannel.wire.realtime.events import Skipped


def test_v2_is_a_dialect() -> None:
    dialect: Dialect = V2()

    assert dialect.name == "v2"
    assert dialect.decode("") == Skipped(kind="?", malformed="not a JSON object with a type")


def test_v2_can_do_everything() -> None:
    assert V2().abilities == Abilities(
        creates_responses=True, truncates=True, answers_tool_calls=True, carries_roles=True
    )


def test_abilities_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        V2().abilities.truncates = False  # type: ignore[misc]  # this is what must not work


def test_v2_has_the_voices_and_the_model_of_its_protocol() -> None:
    assert sorted(V2().voices) == [
        "alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse",
    ]  # fmt: skip
    assert V2().voices[0] == "marin"
    assert V2().default_model == "gpt-realtime-1.5"
