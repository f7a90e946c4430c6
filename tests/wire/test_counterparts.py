from __future__ import annotations

import pathlib
import re
from typing import Final

HERE: Final = pathlib.Path(__file__).parent
NAMED: Final = re.findall(r"`([\w/.]+\.py)::(test_\w+)`", (HERE / "README.md").read_text(encoding="utf-8"))


def test_every_counterpart_that_is_named_exists() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in NAMED
        if not re.search(rf"^(async )?def {name}\(", (HERE / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]

    assert len(NAMED) > 50
    assert missing == []
