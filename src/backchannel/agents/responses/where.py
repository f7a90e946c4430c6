"""Where a command runs and what names there lead to, in the file system as it is by now."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from backchannel.net import is_secret

__all__ = ["Where"]


@dataclasses.dataclass(frozen=True, slots=True)
class Where:
    """Where something is done, every link followed."""

    root: str
    """The workspace."""
    folder: str

    @classmethod
    def of(cls, root: str | Path, name: str) -> Where:
        """Where a name in the workspace leads to by now."""
        return cls(os.path.realpath(root), _real(root, name))

    @property
    def is_inside(self) -> bool:
        """Whether it is in the workspace."""
        return _is_inside(self.folder, self.root)

    @property
    def is_root(self) -> bool:
        """Whether it is the workspace itself."""
        return self.folder == self.root

    @property
    def shown(self) -> str:
        """As a person is told of it, on one line."""
        name = os.path.relpath(self.folder, self.root) if self.is_inside else self.folder
        return " ".join(name.split()) or repr(name)

    def may_be_read(self, name: str) -> bool:
        """Whether what a name here leads to is in the workspace, and not what may hold secrets."""
        place = _real(self.folder, name)
        return _is_inside(place, self.root) and not is_secret(os.path.relpath(place, self.root))

    @property
    def is_plain_for_git(self) -> bool:
        """Whether git finds no repository here that anybody could have made of plain files.

        It runs what the configuration of a repository says, and patches write such files unasked, if not into `.git`.
        """
        folder = Path(self.folder)
        for place in (folder, *folder.parents):
            if os.path.lexists(place / "HEAD"):
                return False
            if str(place) == self.root:
                return True
        return False


def _real(folder: str | Path, name: str) -> str:
    try:
        return os.path.realpath(os.path.join(folder, name))
    except ValueError:
        # No file has such a name.
        return os.path.join(folder, name)


def _is_inside(place: str, root: str) -> bool:
    return place == root or place.startswith(root.rstrip(os.sep) + os.sep)
