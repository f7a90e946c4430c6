"""Applying a patch to the files of a workspace: all of it, or nothing.

Everything is parsed and checked, and every new content is worked out, before a file is touched. New contents are
written beside the old ones and then put in their places; when that fails half way, what was put is taken back. Nothing
outside the workspace is written, through whatever links; nor are the files by which git, or another agent, could be
made to run something.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
from typing import TYPE_CHECKING, Final, assert_never

from backchannel.agents.responses.patch import AddFile, DeleteFile, PatchError, UpdateFile, changed_text, parse_patch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from backchannel.agents.responses.patch import Change

__all__ = ["PROTECTED", "apply_patch"]

PROTECTED: Final = (".git", ".codex", ".backchannel")
"""Folders of a workspace in which nothing is written."""
_MAX_BYTES: Final = 16 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class _Placed:
    before: bytes | None
    after: bytes | None


def apply_patch(text: str, *, root: Path) -> str:
    """Apply a patch; what was done, for the model. It blocks.

    Raises:
        PatchError: It cannot be applied; nothing was changed.
    """
    changes = parse_patch(text)
    files = _Files(root)
    done = [_plan(change, files) for change in changes]
    files.write()
    return "\n".join(["Done:", *done])


def _plan(change: Change, files: _Files) -> str:
    match change:
        case AddFile(path=path, text=text):
            if files.content(path) is not None:
                raise PatchError(f"{path} is there already; change it with Update File, or delete it first")
            files.place(path, text.encode("utf-8", "surrogateescape"))
            return f"A {path}"
        case DeleteFile(path=path):
            files.existing(path)
            files.place(path, None)
            return f"D {path}"
        case UpdateFile(path=path, move_to=move_to):
            before = files.existing(path).decode("utf-8", "surrogateescape")
            after = changed_text(before, change).encode("utf-8", "surrogateescape")
            if move_to is None or files.same(path, move_to):
                files.place(path, after)
                return f"M {path}"
            if files.content(move_to) is not None:
                raise PatchError(f"{path} cannot be moved to {move_to}, which is there already")
            files.place(move_to, after, like=path)
            files.place(path, None)
            return f"M {path} -> {move_to}"
        case _ as unreachable:
            assert_never(unreachable)


class _Files:
    """The files of a workspace as they are going to be."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._planned: dict[str, _Placed] = {}
        self._modes: dict[str, int] = {}

    def same(self, one: str, other: str) -> bool:
        """Whether two paths are one file's."""
        return self._resolve(one) == self._resolve(other)

    def content(self, path: str) -> bytes | None:
        """What a file holds; None when there is none."""
        place = self._resolve(path)
        return self._planned[place].after if place in self._planned else self._read(place, path)

    def existing(self, path: str) -> bytes:
        """What a file holds.

        Raises:
            PatchError: There is none.
        """
        content = self.content(path)
        if content is None:
            raise PatchError(f"there is no file {path}; a new one is made with Add File")
        return content

    def place(self, path: str, content: bytes | None, *, like: str | None = None) -> None:
        """Plan what a file is to hold, None for nothing; a new one gets the permissions of another."""
        place = self._resolve(path)
        before = self._planned[place].before if place in self._planned else self._read(place, path)
        self._planned[place] = _Placed(before, content)
        with contextlib.suppress(OSError):
            self._modes.setdefault(place, os.stat(place if like is None else self._resolve(like)).st_mode & 0o7777)

    def write(self) -> None:
        """Do what is planned.

        Raises:
            PatchError: It failed, and everything is as it was.
        """
        folders: list[str] = []
        ready: dict[str, str] = {}
        done: list[str] = []
        try:
            for place, planned in self._planned.items():
                if planned.after is not None:
                    folders += self._make_folders(os.path.dirname(place))
                    ready[place] = self._write_beside(place, planned.after)
            for place, planned in self._planned.items():
                if planned.after is not None:
                    os.replace(ready[place], place)
                    del ready[place]
                elif planned.before is not None:
                    os.unlink(place)
                done.append(place)
        except OSError as exc:
            self._take_back(done)
            for beside in ready.values():
                with contextlib.suppress(OSError):
                    os.unlink(beside)
            for folder in reversed(folders):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            where = os.path.relpath(exc.filename or self._root, self._root)
            raise PatchError(f"nothing was changed, since {where} could not be written: {exc.strerror}") from exc

    def _take_back(self, done: list[str]) -> None:
        for place in reversed(done):
            before = self._planned[place].before
            with contextlib.suppress(OSError):
                if before is None:
                    os.unlink(place)
                else:
                    os.replace(self._write_beside(place, before), place)

    def _write_beside(self, place: str, content: bytes) -> str:
        beside = os.path.join(os.path.dirname(place), f".backchannel-{secrets.token_hex(6)}")
        try:
            with open(beside, "xb") as file:
                file.write(content)
            if place in self._modes:
                os.chmod(beside, self._modes[place])
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
        return beside

    def _make_folders(self, folder: str) -> list[str]:
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for each in reversed(missing):
            os.mkdir(each)
        return missing[::-1]

    def _read(self, place: str, path: str) -> bytes | None:
        try:
            if os.path.isdir(place):
                raise PatchError(f"{path} is a folder, expected a file")
            if os.path.getsize(place) > _MAX_BYTES:
                raise PatchError(f"{path} is larger than {_MAX_BYTES} bytes, which is too large for a patch")
            with open(place, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise PatchError(f"{path} cannot be read: {exc.strerror}") from exc

    def _resolve(self, path: str) -> str:
        """Where a path leads, every link followed.

        Raises:
            PatchError: Out of the workspace, or to where nothing is written.
        """
        place = os.path.realpath(os.path.join(self._root, path))
        if place == self._root or not place.startswith(self._root.rstrip(os.sep) + os.sep):
            raise PatchError(f"{path} is outside the workspace {self._root}; only files inside can be changed")
        if any(part in PROTECTED for part in _parts(os.path.relpath(place, self._root))):
            raise PatchError(
                f"{path} is among the files that belong to git or to the agent; they are not changed by patches"
            )
        return place


def _parts(path: str) -> Iterator[str]:
    # Where a file system makes no difference between the two, it is one name.
    yield from path.lower().split(os.sep)
