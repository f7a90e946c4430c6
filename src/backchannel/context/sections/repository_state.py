"""The section `Repository State`: the branch, and which files have changed. Names and counts, never content."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Literal

from backchannel.context.sections.body import OURS, Line, Section, plain, section
from backchannel.net import is_secret

if TYPE_CHECKING:
    from backchannel.context.sections.body import Body

__all__ = ["ChangeKind", "ChangedFile", "RepositoryState", "repository_state_section"]

TITLE: Final = "Repository State"
_MAX_FILES: Final = 20
_BLANK: Final = Line("", OURS)
_ORIGIN: Final = "git status"

ChangeKind = Literal["conflict", "staged", "changed", "new"]
_KINDS: Final[dict[ChangeKind, str]] = {
    "conflict": "in conflict",
    "staged": "staged",
    "changed": "not staged",
    "new": "not tracked",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file, or a whole new folder, that is not as it was committed."""

    path: str
    """Relative to the root, with `/`."""
    kind: ChangeKind


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryState:
    """How a repository stands."""

    branch: str | None = None
    """None when no branch is checked out."""
    commit: str | None = None
    """The one that is checked out; None before the first."""
    upstream: str | None = None
    ahead: int = 0
    """Commits that the upstream does not have."""
    behind: int = 0
    """Commits that only the upstream has."""
    operation: str | None = None
    """What is under way: `a merge`, `a rebase`."""
    files: tuple[ChangedFile, ...] | None = ()
    """None where it is not known, because git is not installed."""
    n_more: dict[ChangeKind, int] = dataclasses.field(default_factory=dict)
    """Of each kind, how many there are beside those, where there are very many."""


def repository_state_section(state: RepositoryState, *, as_of: str | None, max_tokens: int) -> Section | None:
    """How the repository stands; None when the budget is too small for it.

    Args:
        state: What git said.
        as_of: When, where it was not just now.
        max_tokens: Of the section.
    """
    body: Body = (Line(_branch(state), _ORIGIN),)
    if as_of is not None:
        body += (Line(f"As of: {as_of}", OURS),)
    if state.operation is not None:
        body += (Line(f"Under way: {plain(state.operation)}", "the repository"),)
    body += (Line(f"Changes: {_counted(state)}", _ORIGIN),)
    named = sorted(
        (file for file in state.files or () if not is_secret(file.path)),
        key=lambda file: (list(_KINDS).index(file.kind), file.path),
    )
    if named:
        listed = (Line(f"- {plain(file.path)} ({_KINDS[file.kind]})", _ORIGIN) for file in named[:_MAX_FILES])
        body = (*body, _BLANK, Line("Changed files:", OURS), *listed)
    n_more = len(named[_MAX_FILES:]) + sum(state.n_more.values())
    if n_more:
        body += (Line(f"- ... {n_more} more", _ORIGIN),)
    return section(TITLE, body, max_tokens=max_tokens)


def _branch(state: RepositoryState) -> str:
    if state.branch is None:
        at = f", at commit {plain(state.commit[:12])}" if state.commit else ""
        return f"Branch: none is checked out{at}"
    told = f"Branch: {plain(state.branch)}"
    if state.commit is None:
        told += ", without a commit"
    if state.upstream is not None:
        ways = [
            f"{count} {'commit' if count == 1 else 'commits'} {way}"
            for count, way in ((state.ahead, "ahead of"), (state.behind, "behind"))
            if count
        ]
        told += f", {' and '.join(ways) or 'level with'} {plain(state.upstream)}"
    return told


def _counted(state: RepositoryState) -> str:
    if state.files is None:
        return "not known, since git is not installed"
    counts = {kind: sum(file.kind == kind for file in state.files) + state.n_more.get(kind, 0) for kind in _KINDS}
    told = [f"{count} {_KINDS[kind]}" for kind, count in counts.items() if count]
    return ", ".join(told) or "none, everything is committed"
