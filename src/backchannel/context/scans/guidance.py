"""The files in which a project tells agents how to work on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from backchannel.context.scans.files import read_beginning
from backchannel.context.sections import GuidanceFile
from backchannel.net import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backchannel.context.scans.running import Stop

__all__ = ["read_guidance"]

_NAMES: Final = ("AGENTS.md", "CLAUDE.md")
_MAX_BYTES: Final = 65_536
"""So much of a file is read."""
_MAX_FOLDERS: Final = 32


def read_guidance(folder: str, top: str | None, stop: Stop) -> tuple[GuidanceFile, ...]:
    """The files of a folder and of those above it, the nearest first.

    Links that lead out of the project are not followed, and a file that two names lead to is read once.

    Args:
        folder: Where the work is.
        top: The last folder above it that is looked into; None for none above.
        stop: Asked between the files.
    """
    top = os.path.realpath(top or folder)
    found: list[GuidanceFile] = []
    read: set[str] = set()
    for place in _upwards(os.path.realpath(folder), top):
        for name in _NAMES:
            stop.check()
            path = os.path.realpath(os.path.join(place, name))
            if path in read or os.path.commonpath([path, top]) != top or is_secret(os.path.relpath(path, top)):
                continue
            read.add(path)
            text = (read_beginning(path, _MAX_BYTES) or b"").decode("utf-8", "replace")
            if text:
                found.append(GuidanceFile(path=os.path.relpath(os.path.join(place, name), top), text=text))
    return tuple(found)


def _upwards(folder: str, top: str) -> Iterator[str]:
    for _ in range(_MAX_FOLDERS):
        yield folder
        if folder == top or os.path.dirname(folder) == folder:
            return
        folder = os.path.dirname(folder)
