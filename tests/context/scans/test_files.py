from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from backchannel.context.scans.files import read_beginning

if TYPE_CHECKING:
    from pathlib import Path


def test_the_beginning_of_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    content = b"one\r\ntwo\x1athree\n"
    (tmp_path / "a").write_bytes(content)
    assert read_beginning(str(tmp_path / "a"), 100) == content
    assert read_beginning(str(tmp_path / "a"), 4) == content[:4]


def test_what_is_no_file_has_no_beginning(tmp_path: Path) -> None:
    assert read_beginning(str(tmp_path), 100) is None
    assert read_beginning(str(tmp_path / "none"), 100) is None
    assert read_beginning("\0", 100) is None


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_beginning(str(tmp_path / "pipe"), 100) is None
