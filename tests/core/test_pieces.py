from __future__ import annotations

import pytest

from backchannel.core.pieces import PAUSE_S, Pieces


def test_pieces_of_one_speaker_belong_together() -> None:
    pieces = Pieces()
    assert pieces.came("user", "run ", 1.0) is None
    assert pieces.came("user", "it", 2.0) is None
    assert pieces.deadline == 2.0 + PAUSE_S
    assert pieces.end() == ("user", "run it")
    assert pieces.deadline is None


def test_when_the_other_one_speaks_what_was_said_is_whole() -> None:
    pieces = Pieces()
    pieces.came("user", "run it", 1.0)

    assert pieces.came("assistant", "On it.", 1.2) == ("user", "run it")
    assert pieces.came("assistant", " Now.", 1.3) is None
    assert pieces.end() == ("assistant", "On it. Now.")


@pytest.mark.parametrize(("passed_s", "is_whole"), [(PAUSE_S - 0.01, False), (PAUSE_S, True)])
def test_after_a_pause_what_was_said_is_whole(passed_s: float, *, is_whole: bool) -> None:
    pieces = Pieces()
    pieces.came("user", "run it", 1.0)

    assert pieces.due(1.0 + passed_s) == (("user", "run it") if is_whole else None)
    assert (pieces.deadline is None) is is_whole


def test_where_nobody_speaks_nothing_is_whole() -> None:
    pieces = Pieces()
    assert pieces.due(100.0) is None
    pieces.came("user", " ", 1.0)

    assert pieces.end() is None
    assert pieces.end() is None
