from __future__ import annotations

import pytest

from backchannel.engine.updates import level_asked_for, level_set
from backchannel.wire.realtime import TOOLS

LEVELS = TOOLS["set_updates"].parameters[0].choices


def test_every_level_that_the_tool_has_can_be_asked_for_and_acknowledged() -> None:
    asked = {level_asked_for(words) for words in ("be quiet", "only the results", "keep me posted", "be chatty")}
    assert asked == set(LEVELS)
    said = [level_set(f"From now on the level of updates is: {level}.") for level in LEVELS]
    assert len(set(said)) == len(LEVELS)
    assert None not in said


@pytest.mark.parametrize(
    "words", ["", "stop", "quiet", "results", "updates", "everything", "tell me when the tests ran"]
)
def test_a_part_of_a_phrase_asks_for_no_level(words: str) -> None:
    assert level_asked_for(words) is None


@pytest.mark.parametrize("output", ["", "There is no such level of updates.", "the level of updates is: loud"])
def test_an_answer_that_sets_no_level_we_know_is_not_acknowledged(output: str) -> None:
    assert level_set(output) is None
