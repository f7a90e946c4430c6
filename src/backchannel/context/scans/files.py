"""Reading the beginning of a file that may be anything."""

from __future__ import annotations

import os
import stat
import sys
from typing import Final

__all__ = ["read_beginning"]

if sys.platform == "win32":
    # Else ends of lines are changed, and a file seems to end at the first Ctrl-Z.
    _AT_ONCE: Final = os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT
else:
    _AT_ONCE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def read_beginning(path: str, max_bytes: int) -> bytes | None:
    """The first bytes of an ordinary file; None where it cannot be read."""
    try:
        # What is no file, such as a pipe, must not make us wait.
        descriptor = os.open(path, _AT_ONCE)
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, max_bytes)
    except OSError:
        return None
    finally:
        os.close(descriptor)
