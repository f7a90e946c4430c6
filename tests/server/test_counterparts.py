from __future__ import annotations

import pathlib
from typing import Final

from tests.counterparts import Counterparts

TABLES: Final = Counterparts(pathlib.Path(__file__).parent)


def test_every_counterpart_that_is_named_exists() -> None:
    assert TABLES.missing() == []


def test_what_is_named_is_understood_here() -> None:
    assert len(TABLES.named) == TABLES.n_mentions


def test_every_test_of_the_reference_has_one() -> None:
    assert len(TABLES.rows()) == 20
    assert TABLES.without() == {}
