"""Which of those who began turns still live: each holds the lock of a file, which the system lets go of with it.

So a process that was killed is told from one that works, whatever became of its number.
"""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Owner", "lives", "remove_dead"]

_ATTEMPTS: Final = 10


class Owner:
    """Shows others that this one lives.

    Ownership: whoever made it calls `release`. A copy of the process made by `os.fork` shares the lock.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self.owner_id: str | None = None
        """None until there is a file."""

    def claim(self) -> str:
        """Show it from now on, and return the id by which others can ask.

        Raises:
            OSError: It cannot be shown.
        """
        if self.owner_id is not None:
            return self.owner_id
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for _ in range(_ATTEMPTS):
            owner_id = uuid.uuid4().hex
            path = self._folder / owner_id
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            with contextlib.ExitStack() as stack:
                stack.callback(os.close, file)
                # Between the two, somebody may have found it without a lock and removed it.
                if _lock(file, shared=False) and path.exists():
                    stack.pop_all()
                    self._file, self.owner_id = file, owner_id
                    return owner_id
        raise OSError(f"could not lock a file in {self._folder}")

    def release(self) -> None:
        """Show it no longer; idempotent."""
        if self._file is not None and self.owner_id is not None:
            with contextlib.suppress(OSError):
                (self._folder / self.owner_id).unlink()
            os.close(self._file)
            self._file = self.owner_id = None


def lives(folder: Path, owner_id: str) -> bool:
    """Whether an owner lives; in doubt it does."""
    try:
        file = os.open(folder / owner_id, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _lock(file, shared=True)
    except OSError:
        return True
    finally:
        os.close(file)


def remove_dead(folder: Path) -> None:
    """Remove the files of owners that are dead."""
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if not lives(folder, path.name):
                with contextlib.suppress(OSError):
                    path.unlink()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int, *, shared: bool) -> bool:
        """Take the lock of an open file, until it is closed; whether nobody else had it."""
        del shared  # There is no such lock here: two who ask at the same moment may take each other for the owner.
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _lock(file: int, *, shared: bool) -> bool:
        """Take the lock of an open file, until it is closed; whether nobody else had it.

        Those who only ask share theirs, so that none of them takes another for the owner.
        """
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
