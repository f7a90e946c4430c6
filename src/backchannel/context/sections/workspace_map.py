"""The section `Machine / Workspace Map`: where the work is, and the first two levels of what lies there.

Source: realtime.md 9.5.
"""

from __future__ import annotations

import dataclasses
import os.path
from typing import TYPE_CHECKING, Final

from backchannel.context.sections.body import OURS, Line, Section, plain, section

if TYPE_CHECKING:
    from backchannel.context.sections.body import Body

__all__ = ["Tree", "WorkspaceMap", "workspace_map_section"]

TITLE: Final = "Machine / Workspace Map"
_BLANK: Final = Line("", OURS)

Tree = tuple[tuple[int, str], ...]
"""How deep an entry lies, from 0, and its name; a folder's ends with `/`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceMap:
    """The folders that matter. A tree is empty where there is nothing in it, or it was not ready in time."""

    cwd: str
    project: str | None = None
    """The root of the repository around it."""
    home: str | None = None
    """The user's."""
    cwd_tree: Tree = ()
    project_tree: Tree = ()
    """Empty where it is the current folder."""
    home_tree: Tree = ()
    """Empty where it is one of the two others."""


def workspace_map_section(found: WorkspaceMap, *, max_tokens: int) -> Section | None:
    """The map; None where there is nothing but an empty folder."""
    if not (found.cwd_tree or found.project or found.home_tree):
        return None
    body = [
        Line(f"Current working directory: {plain(found.cwd)}", "the current folder"),
        Line(f"Working directory name: {plain(os.path.basename(found.cwd) or found.cwd)}", "the current folder"),
    ]
    if found.project is not None:
        body += (
            Line(f"Git root: {plain(found.project)}", "the repository"),
            Line(f"Git project: {plain(os.path.basename(found.project) or found.project)}", "the repository"),
        )
    if found.home is not None:
        body.append(Line(f"User root: {plain(found.home)}", "the user's home"))
    body += _tree("Working directory tree:", found.cwd_tree, found.cwd)
    body += _tree("Git root tree:", found.project_tree, found.project)
    body += _tree("User root tree:", found.home_tree, found.home)
    return section(TITLE, tuple(body), max_tokens=max_tokens)


def _tree(heading: str, tree: Tree, root: str | None) -> Body:
    if not tree or root is None:
        return ()
    origin = f"a look into {plain(root)}"
    listed = (Line(f"{'  ' * depth}- {plain(name)}", origin) for depth, name in tree)
    return (_BLANK, Line(heading, OURS), *listed)
