"""The workspace on disk: which files there are, which one a person means, and which ones are never shown.

Everything here blocks: it runs in a thread (`steps.Call`). It only reads.
"""

from __future__ import annotations

import dataclasses
import enum
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backchannel.agents.workspace.vocabulary import word_set
from backchannel.agents.workspace.words import spoken_name, squeezed
from backchannel.net import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backchannel.agents.workspace.steps import Cancelled

__all__ = ["MAX_FILES", "Found", "NotShown", "Tree", "is_test_file"]

MAX_FILES: Final = 20_000
"""More files are not looked at."""

_SKIPPED_FOLDERS: Final = word_set(
    ".git .hg .svn .venv venv env node_modules __pycache__ "
    ".mypy_cache .pytest_cache .ruff_cache .tox .nox .idea .vscode "
    "site-packages target dist build .eggs .cache "
    ".gradle .hypothesis htmlcov"
)


class NotShown(enum.Enum):
    """Why a file is not shown; the value is a sentence."""

    OUTSIDE = "That is outside the workspace, and I only look inside it."
    SECRET = "That file may hold secrets, so I do not show it."
    MISSING = "missing"
    SPECIAL = "That is not an ordinary file, so I do not show it."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a name means."""

    path: str
    """Relative to the root, with `/`; empty for the root."""
    is_folder: bool
    others: tuple[str, ...] = ()
    """More files of that name."""


def is_test_file(path: str) -> bool:
    """Whether a path looks like a file with Python tests."""
    name = path.rpartition("/")[2]
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py") or name == "tests.py")


_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "documentation": ("docs", "doc"),
    "docs": ("doc", "documentation"),
    "source": ("src", "lib"),
    "database": ("db",),
    "network": ("net",),
    "utilities": ("utils", "util"),
    "frontend": ("web", "ui", "client"),
    "backend": ("server", "api"),
    "configuration": ("config", "conf", "settings", "pyproject"),
    "config": ("configuration", "conf"),
    "license": ("licence", "copying"),
    "tests": ("test",),
    "test": ("tests",),
    "interface": ("ui", "gui"),
    "changelog": ("changes", "history", "news"),
    "setup": ("setuppy",),
}


class Tree:
    """A view of the files below a folder, read when asked."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self, cancelled: Cancelled | None = None) -> Iterator[str]:
        """The relative paths of the ordinary files, sorted folder by folder, without what tools made.

        Symbolic links are not followed and not listed.
        """
        n_files = 0
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(
                name for name in folders if name not in _SKIPPED_FOLDERS and not name.endswith(".egg-info")
            )
            if cancelled is not None and cancelled.is_set():
                return
            inside = os.path.relpath(folder, self.root)
            for name in sorted(names):
                if not _is_plain(Path(folder, name)):
                    continue
                yield name if inside == "." else f"{inside}/{name}".replace(os.sep, "/")
                n_files += 1
                if n_files >= MAX_FILES:
                    return

    def folders(self) -> list[str]:
        """The relative paths of the folders that hold files, at any depth, shallow ones first."""
        folders = {parent.as_posix() for path in self.files() for parent in Path(path).parents}
        return sorted(folders - {"."}, key=lambda path: (path.count("/"), path))

    def inside(self, path: Path) -> bool:
        """Whether a path, all links followed, lies in the workspace."""
        return path.resolve().is_relative_to(self.root.resolve())

    def locate(self, name: str) -> Found | NotShown:
        """Which file or folder a name means: a path as typed, or a name as said.

        Of several the one nearest to the root is taken. A path that leaves the workspace, by its dots or by a link, is
        refused, and so is a file that may hold secrets.
        """
        typed = self._typed(name)
        if typed is not None:
            return typed
        wanted = spoken_name(name)
        hits = self._named(wanted)
        if not hits:
            return NotShown.MISSING
        open_hits = [hit for hit in hits if not is_secret(hit)]
        if not open_hits:
            return NotShown.SECRET
        first = open_hits[0]
        return Found(path=first, is_folder=(self.root / first).is_dir(), others=tuple(open_hits[1:6]))

    def _typed(self, name: str) -> Found | NotShown | None:
        if name.startswith("~"):
            return NotShown.OUTSIDE
        if "\0" in name or len(name) > 1000:
            return NotShown.MISSING
        path = self.root / name
        if ".." in Path(name).parts and not self.inside(path):
            return NotShown.OUTSIDE
        try:
            if not os.path.lexists(path):
                return NotShown.OUTSIDE if Path(name).is_absolute() and not self.inside(path) else None
            if not self.inside(path):
                return NotShown.OUTSIDE
            resolved = path.resolve()
            relative = resolved.relative_to(self.root.resolve()).as_posix()
            given = Path(os.path.normpath(path)).relative_to(self.root).as_posix()
            if is_secret(relative) or is_secret(given):
                return NotShown.SECRET
            if resolved.is_dir():
                return Found(path="" if relative == "." else relative, is_folder=True)
            return Found(path=relative, is_folder=False) if _is_plain(resolved) else NotShown.SPECIAL
        except (OSError, ValueError):
            return NotShown.MISSING

    def _named(self, wanted: str) -> list[str]:
        """The files and folders of a name that was said, best first."""
        key = squeezed(wanted)
        if not key:
            return []
        keys = (key, *_ALIASES.get(key, ()))
        ranked: list[tuple[int, int, str]] = []
        files = list(self.files())
        folders = {parent.as_posix() for path in files for parent in Path(path).parents} - {"."}
        for is_folder, paths in ((False, files), (True, sorted(folders))):
            for path in paths:
                rank = _rank(path, keys, is_folder=is_folder)
                if rank is not None:
                    ranked.append((rank, path.count("/"), path))
        return [path for _rank_, _depth, path in sorted(ranked)]

    def parts(self, where: str) -> list[str]:
        """The folders and files that a place names, for restricting work to them; none overlaps another.

        A folder of that name anywhere counts, and a file with the name in its own (`core` names `core/`, `tests/core/`
        and `tests/test_core.py`).
        """
        # A bare name is no path: `core` is more than the folder of that name at the top.
        typed = self._typed(where) if any(sign in where for sign in "/.~") else None
        if isinstance(typed, Found):
            return [typed.path] if typed.path else []
        if typed is not None:
            return []
        key = squeezed(spoken_name(where))
        if not key:
            return []
        for names in ((key,), _ALIASES.get(key, ())):
            hits = self._parts(frozenset(names))
            if hits:
                return hits
        return []

    def _parts(self, names: frozenset[str]) -> list[str]:
        hits: list[str] = []
        for path in self.files():
            *folders, name = path.split("/")
            depth = next((i for i, folder in enumerate(folders) if squeezed(folder) in names), None)
            if depth is not None:
                hit = "/".join(folders[: depth + 1])
                if hit not in hits:
                    hits.append(hit)
            elif _stems(name) & names:
                hits.append(path)
        return hits

    def read_head(self, path: str, max_bytes: int) -> bytes:
        """The first bytes of a file.

        Raises:
            OSError: It cannot be read.
        """
        # Not blocking: between the look and the opening, a file may have become a pipe.
        descriptor = os.open(self.root / path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(max_bytes) or b""


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _stems(name: str) -> set[str]:
    """The names a file goes by: with and without its extension, and without the mark of a test."""
    stem = squeezed(name.split(".")[0] if not name.startswith(".") else name)
    bare = stem.removeprefix("test") if name.startswith("test_") else stem
    bare = bare.removesuffix("test") if name.rpartition(".")[0].endswith("_test") else bare
    return {squeezed(name), stem, bare} - {""}


def _rank(path: str, keys: tuple[str, ...], *, is_folder: bool) -> int | None:
    """How well a path fits a name, 0 best; None when it does not."""
    name = path.rpartition("/")[2]
    full, whole, stem = squeezed(path), squeezed(name), squeezed(name.split(".")[0])
    for penalty, key in enumerate(keys):
        for rank, fits in enumerate((whole == key or full == key, stem == key, full.endswith(key) and len(key) > 5)):
            if fits:
                return rank * 2 + penalty * 8 + is_folder
    return None
