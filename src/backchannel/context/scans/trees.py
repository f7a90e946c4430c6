"""The first two levels of a folder: folders first, then by name, twenty entries each.

Source: realtime.md 9.1 and 9.5.
"""

from __future__ import annotations

import heapq
import os
from typing import TYPE_CHECKING, Final

from backchannel.net import is_secret

if TYPE_CHECKING:
    from backchannel.context.scans.running import Stop
    from backchannel.context.sections import Tree

__all__ = ["look_into"]

_DEPTH: Final = 2
_MAX_SHOWN: Final = 20
_CHECKED_EVERY: Final = 1024
_NOISE: Final = frozenset((b"__pycache__", b"build", b"dist", b"node_modules", b"out", b"target"))
"""Names that say nothing of a project, beside those that begin with a dot."""


def look_into(root: str, stop: Stop) -> Tree:
    """What lies in a folder, two levels deep; nothing where it is empty, cannot be read, or is one for secrets.

    Links are named and not followed. Names are in the order of their bytes; one that is not valid in the system's
    encoding keeps its bytes as surrogates.
    """
    if is_secret(f"{root}/name"):
        return ()
    return tuple(_entries(os.fsencode(root), 0, stop))


def _entries(folder: bytes, depth: int, stop: Stop) -> list[tuple[int, str]]:
    stop.check()
    try:
        names = _names(folder, stop)
    except OSError:
        return []
    listed: list[tuple[int, str]] = []
    shown = _shown(names)
    for is_file, name in shown:
        listed.append((depth, os.fsdecode(name) + ("" if is_file else "/")))
        if not is_file and depth + 1 < _DEPTH:
            listed += _entries(os.path.join(folder, name), depth + 1, stop)
    if len(names) > len(shown):
        listed.append((depth, f"... {len(names) - len(shown)} more entries"))
    return listed


def _names(folder: bytes, stop: Stop) -> list[tuple[bool, bytes]]:
    """Whether it is no folder, and its name: in this form they sort as they are shown."""
    names: list[tuple[bool, bytes]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[:1] == b"." or name in _NOISE:
                continue
            names.append((not entry.is_dir(follow_symlinks=False), name))
            if len(names) % _CHECKED_EVERY == 0:
                stop.check()
    return names


def _shown(names: list[tuple[bool, bytes]]) -> list[tuple[bool, bytes]]:
    """The first ones that may be named."""
    looked_at = _MAX_SHOWN
    while True:
        first = heapq.nsmallest(looked_at, names)
        shown = [entry for entry in first if not _is_secret(*entry)]
        if len(shown) >= _MAX_SHOWN or len(first) == len(names):
            return shown[:_MAX_SHOWN]
        looked_at *= 4


def _is_secret(is_file: bool, name: bytes) -> bool:  # noqa: FBT001 - in the form in which they sort
    """Whether it is not named; what is in a folder of secrets is not looked at either."""
    shown = os.fsdecode(name)
    return is_secret(shown) or (not is_file and is_secret(f"{shown}/name"))
