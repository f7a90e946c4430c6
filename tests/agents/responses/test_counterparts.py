from __future__ import annotations

import pathlib
from typing import Final

from tests.counterparts import Counterparts

TABLES: Final = Counterparts(pathlib.Path(__file__).parent)


def test_every_counterpart_that_is_named_exists() -> None:
    assert len(TABLES.rows()) == len(TABLES.named) == TABLES.n_mentions == 9
    assert TABLES.missing() == []
