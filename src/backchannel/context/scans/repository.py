"""The repository around a folder: where it is, which branch it is on, what git says of it.

Finding it takes no git and no process; only what has changed is asked of git, which is told to take no locks, to start
no monitor and to ask nothing. A repository may come from anybody: no program that its own configuration names is run,
and git finds no keys in its environment.

Source: realtime.md 9.4 for the root of linked worktrees.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from backchannel.context.scans.files import read_beginning
from backchannel.context.sections import ChangedFile, RepositoryState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from backchannel.context.scans.running import Stop

__all__ = ["Project", "branch_of", "find_project", "parse_status", "read_state"]

_MAX_POINTER: Final = 4096
_POLL_S: Final = 0.2
_NICENESS: Final = 10
_OPERATIONS: Final = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisection",
}
_NEEDED: Final = frozenset(
    {"PATH", "HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "SYSTEMROOT"}
)
_SCOPES_OF_THE_REPOSITORY: Final = (b"local", b"worktree", b"submodule")
_MAX_FILES: Final = 1000
"""Those that are told, and a good deal more."""
_AHEAD_BEHIND: Final = re.compile(r"\+([0-9]{1,9}) -([0-9]{1,9})")
# The one would run a program that the repository names. The other would look at the files of a large index in up to 20
# threads, which leave no core to the conversation.
_SETTINGS: Final = ("-c", "core.fsmonitor=false", "-c", "core.preloadIndex=false")
_GIT: Final = ("git", "--no-pager", "--no-optional-locks", *_SETTINGS)
_RESTRAINED: Final = {
    "LC_ALL": "C.UTF-8",
    "GIT_TERMINAL_PROMPT": "0",
    # Of a partial clone git would fetch what is missing, by commands that its configuration names; older versions know
    # only the second, which leaves no way to fetch by.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
}
_FILTERS: Final = ("config", "--null", "--show-scope", "--name-only", "--get-regexp", r"^filter\.")
_STATUS: Final = (
    "status",
    "--porcelain=v2",
    "--branch",
    "--untracked-files=normal",
    # Its own submodules are not looked into: that would run by their configuration.
    "--ignore-submodules=dirty",
    "-z",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A repository's checkout."""

    root: str
    """What its threads are listed under: of a linked worktree, the main checkout's."""
    checkout: str
    """The top folder of the files here."""
    git_folder: str
    """Where git keeps what it knows of this checkout."""


def find_project(folder: str) -> Project | None:
    """The repository around a folder; None where there is none. It reads a few small files at most."""
    # Where it really lies is where git looks, too.
    here = os.path.realpath(folder)
    while True:
        entry = os.path.join(here, ".git")
        if os.path.isdir(entry):
            return Project(root=here, checkout=here, git_folder=entry)
        if os.path.isfile(entry):
            return _linked(here, entry)
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def branch_of(project: Project) -> str | None:
    """The branch that is checked out; None where there is none, or it cannot be read."""
    head = _small_text(os.path.join(project.git_folder, "HEAD"))
    name = head.removeprefix("ref: refs/heads/")
    return name if name != head and name else None


def read_state(project: Project, env: Mapping[str, str], stop: Stop) -> RepositoryState:
    """How the repository stands.

    Raises:
        GaveUp: Git took too long; it was ended.
        OSError: Git could not be asked.
    """
    try:
        filters = _run(_FILTERS, project.checkout, env, stop, may_find_nothing=True)
        printed = _run((*_without_filters(filters), *_STATUS), project.checkout, env, stop)
    except FileNotFoundError:
        return RepositoryState(branch=branch_of(project), operation=_operation(project), files=None)
    return dataclasses.replace(parse_status(os.fsdecode(printed)), operation=_operation(project))


def parse_status(printed: str) -> RepositoryState:
    """What `git status --porcelain=v2 --branch -z` printed."""
    state = RepositoryState()
    files: list[ChangedFile] = []
    records = iter(printed.split("\0"))
    for record in records:
        kind, _, rest = record.partition(" ")
        match kind:
            case "#":
                state = _with_header(state, rest)
            case "1":
                files += _changed(rest, n_fields=8)
            case "2":
                files += _changed(rest, n_fields=9)
                # The name that it had.
                next(records, None)
            case "u":
                files.append(ChangedFile(path=rest.split(" ", 9)[-1], kind="conflict"))
            case "?":
                files.append(ChangedFile(path=rest, kind="new"))
            case _:
                pass
    if len(files) > _MAX_FILES:
        files.sort(key=lambda file: file.kind != "conflict")
    n_more = collections.Counter(file.kind for file in files[_MAX_FILES:])
    return dataclasses.replace(state, files=tuple(files[:_MAX_FILES]), n_more=dict(n_more))


def _with_header(state: RepositoryState, header: str) -> RepositoryState:
    name, _, value = header.partition(" ")
    match name:
        case "branch.oid" if value != "(initial)":
            return dataclasses.replace(state, commit=value)
        case "branch.head" if value != "(detached)":
            return dataclasses.replace(state, branch=value)
        case "branch.upstream":
            return dataclasses.replace(state, upstream=value)
        case "branch.ab" if counts := _AHEAD_BEHIND.fullmatch(value):
            return dataclasses.replace(state, ahead=int(counts[1]), behind=int(counts[2]))
        case _:
            return state


def _changed(rest: str, *, n_fields: int) -> Iterator[ChangedFile]:
    states, path = rest[:2], rest.split(" ", n_fields - 1)[-1]
    # One of which a part only is staged is not staged.
    yield ChangedFile(path=path, kind="staged" if states.endswith(".") else "changed")


def _linked(checkout: str, entry: str) -> Project:
    """A checkout whose `.git` is a file that points elsewhere: a linked worktree's, or a submodule's."""
    pointer = _small_text(entry)
    target = pointer.removeprefix("gitdir:").strip()
    git_folder = os.path.realpath(os.path.join(checkout, target)) if target != pointer and target else entry
    own = Project(root=checkout, checkout=checkout, git_folder=git_folder)
    worktrees, _ = os.path.split(git_folder)
    common = os.path.dirname(worktrees)
    if os.path.basename(worktrees) != "worktrees" or os.path.basename(common) != ".git":
        return own
    # Both have to point at each other, or anybody's file could claim to belong to a repository.
    points_back = _small_text(os.path.join(git_folder, "gitdir"))
    if os.path.realpath(os.path.join(git_folder, points_back)) != os.path.realpath(entry):
        return own
    return dataclasses.replace(own, root=os.path.dirname(common))


def _small_text(path: str) -> str:
    # No name has a zero in it.
    return os.fsdecode((read_beginning(path, _MAX_POINTER) or b"").partition(b"\0")[0]).strip("\r\n")


def _operation(project: Project) -> str | None:
    for name, told in _OPERATIONS.items():
        if os.path.lexists(os.path.join(project.git_folder, name)):
            return told
    return None


def _without_filters(printed: bytes) -> Iterator[str]:
    """Options by which git runs no filter that the repository itself defines.

    Raises:
        OSError: One has a name that cannot be said in an option.
    """
    fields = iter(printed.split(b"\0"))
    names = {
        key.split(b".", 1)[1].rpartition(b".")[0]
        for scope, key in zip(fields, fields, strict=False)
        if scope in _SCOPES_OF_THE_REPOSITORY
    }
    for name in sorted(names):
        if b"=" in name:
            raise OSError(0, "a filter of the repository has a name that cannot be switched off")
        for key, value in (("clean", ""), ("process", ""), ("required", "false")):
            yield "-c"
            yield f"filter.{os.fsdecode(name)}.{key}={value}"


def _run(
    arguments: Iterable[str], folder: str, env: Mapping[str, str], stop: Stop, *, may_find_nothing: bool = False
) -> bytes:
    """What git printed.

    Raises:
        GaveUp: It took too long.
        OSError: It could not be started, or failed.
    """
    # Nothing of a git that runs around us, which would lead it to another repository, and no keys.
    needed = {name: value for name, value in env.items() if name in _NEEDED or name.startswith("XDG_")}
    with subprocess.Popen(
        (*_GIT, *arguments),
        cwd=folder,
        env={**needed, **_RESTRAINED},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        _give_way(process)
        while True:
            try:
                printed, _ = process.communicate(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                if stop.left_s() <= 0:
                    process.kill()
                    stop.check()
            else:
                break
    if process.returncode and not (may_find_nothing and process.returncode == 1):
        raise OSError(0, f"git ended with status {process.returncode}")
    return printed


def _give_way(process: subprocess.Popen[bytes]) -> None:
    """Let it have the time that nobody else needs: in a large repository it keeps every processor busy."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
