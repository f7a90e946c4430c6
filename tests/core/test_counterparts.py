from __future__ import annotations

import pathlib
from typing import Final

from tests.counterparts import Counterparts

TABLES: Final = Counterparts(pathlib.Path(__file__).parent)

NOT_HERE: Final = {
    "misalignment_retirement_*",
    "disabled_preambles_*",
    "internal_continuation_suppression_keeps_final_realtime_output",
}
"""Of things that are not built; the table says which. A star stands for the rest of a name."""
CONTEXT: Final = "context, an issue of its own"


def test_every_counterpart_that_is_named_exists() -> None:
    assert len(TABLES.named) > 60
    assert TABLES.missing() == []


def test_what_is_named_is_understood_here() -> None:
    assert len(TABLES.named) == TABLES.n_mentions
    assert TABLES.rooms == {"context", "net", "runtime", "tui", "wire"}


def test_every_test_of_the_reference_has_one_or_a_reason() -> None:
    without = TABLES.without()

    assert len(TABLES.rows()) == 84
    assert len([here for here in without.values() if here == CONTEXT]) == 13
    assert {there for there, here in without.items() if here != CONTEXT} == NOT_HERE
