from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blockbuster import blockbuster_ctx

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def nothing_blocks_the_loop() -> Iterator[None]:
    """The check of all tests, except that the keyboard may read what it has been told is there."""
    with blockbuster_ctx("backchannel") as blockbuster:
        blockbuster.functions["os.read"].can_block_in("tui/keyboard.py", "read")
        yield
