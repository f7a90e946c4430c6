from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from backchannel.threads import MemoryThreads, SqliteThreads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from backchannel.threads import ThreadStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ThreadStore]:
    """Each store there is."""
    kept: ThreadStore = MemoryThreads() if request.param == "memory" else SqliteThreads(tmp_path / "threads.sqlite3")
    yield kept
    kept.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where there is no store yet."""
    return tmp_path / "home" / "threads.sqlite3"
