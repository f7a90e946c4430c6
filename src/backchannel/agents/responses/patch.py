"""A patch as models write it, and what it makes of texts. Pure; `patching.py` has the files.

    *** Begin Patch
    *** Update File: core/retry.py
    *** Move to: core/retries.py
    @@ class Retry
     context
    -old line
    +new line
    *** Add File: notes.txt
    +first line
    *** Delete File: old.txt
    *** End Patch

There are no line numbers: a hunk is found by its unchanged and its old lines, after the place of the hunk before it and
after the line that `@@` names. Where the exact lines are not there, differences in the space at the end of lines, then
at both ends, are overlooked; unchanged lines stay as the file has them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, TypeAlias

from backchannel.core import FileChange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "AddFile",
    "Change",
    "DeleteFile",
    "Hunk",
    "PatchError",
    "UpdateFile",
    "changed_text",
    "changes_of",
    "parse_patch",
]

_BEGIN: Final = "*** Begin Patch"
_END: Final = "*** End Patch"
_ADD: Final = "*** Add File: "
_DELETE: Final = "*** Delete File: "
_UPDATE: Final = "*** Update File: "
_MOVE: Final = "*** Move to: "
_END_OF_FILE: Final = "*** End of File"
_MAX_SHOWN: Final = 80


class PatchError(Exception):
    """A patch cannot be used; the text is for the model: what was expected, and where."""


@dataclasses.dataclass(frozen=True, slots=True)
class AddFile:
    """A new file."""

    path: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteFile:
    """A file goes."""

    path: str


@dataclasses.dataclass(frozen=True, slots=True)
class Hunk:
    """One place of a file."""

    lines: tuple[tuple[str, str], ...]
    """Each a space, `-` or `+`, and the line."""
    after: tuple[str, ...] = ()
    """Lines that come before it, one after the other."""
    at_end: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class UpdateFile:
    """A file is changed, moved, or both."""

    path: str
    hunks: tuple[Hunk, ...]
    move_to: str | None = None


Change: TypeAlias = AddFile | DeleteFile | UpdateFile


def parse_patch(text: str) -> tuple[Change, ...]:
    """The changes of a patch, in order.

    Raises:
        PatchError: It is none.
    """
    lines = text.strip().splitlines()
    if not lines or lines[0].strip() != _BEGIN:
        raise PatchError(
            f"expected the patch to begin with the line {_BEGIN!r}, got {_shown(lines[0] if lines else '')}"
        )
    if lines[-1].strip() != _END:
        raise PatchError(f"expected the patch to end with the line {_END!r}, got {_shown(lines[-1])}")
    body = lines[1:-1]
    changes: list[Change] = []
    start = 0
    while start < len(body):
        end = next((n for n in range(start + 1, len(body)) if _is_header(body[n])), len(body))
        changes.append(_change(body[start].rstrip(), body[start + 1 : end], number=start + 2))
        start = end
    if not changes:
        raise PatchError("the patch changes nothing: expected at least one Add File, Update File or Delete File")
    return tuple(changes)


def changes_of(text: str) -> tuple[FileChange, ...]:
    """What becomes of each file, for a person; nothing of what is no patch."""
    try:
        changes = parse_patch(text)
    except PatchError:
        return ()
    return tuple(map(_shown_change, changes))


def _shown_change(change: Change) -> FileChange:
    match change:
        case AddFile(path=path, text=text):
            return FileChange(path=path, kind="add", diff=text)
        case DeleteFile(path=path):
            return FileChange(path=path, kind="delete", diff="")
        case UpdateFile(path=path, hunks=hunks, move_to=move_to):
            diff = "".join(map(_diff, hunks))
            return FileChange(path=path, kind="update", diff=diff, moved_to=move_to)


def _diff(hunk: Hunk) -> str:
    head = " ".join(("@@", *hunk.after))
    return "\n".join((head, *(sign + line for sign, line in hunk.lines))) + "\n"


def changed_text(text: str, change: UpdateFile) -> str:
    """The text of a file after its hunks.

    Raises:
        PatchError: A hunk does not fit.
    """
    ends = text.endswith("\n") or not text
    lines = text.removesuffix("\n").split("\n") if text else []
    made_with_returns = "\r\n" in text
    result: list[str] = []
    cursor = 0
    for number, hunk in enumerate(change.hunks, start=1):
        start = _place(lines, hunk, cursor, where=f"{change.path}, hunk {number}")
        result += lines[cursor:start]
        cursor = start
        for kind, line in hunk.lines:
            if kind == "+":
                result.append(line + "\r" if made_with_returns else line)
                continue
            if kind == " " and cursor < len(lines):
                result.append(lines[cursor])
            cursor = min(cursor + 1, len(lines))
    result += lines[cursor:]
    return "\n".join(result) + ("\n" if ends and result else "")


def _is_header(line: str) -> bool:
    return line.startswith((_ADD, _DELETE, _UPDATE))


def _change(header: str, lines: Sequence[str], *, number: int) -> Change:
    if header.startswith(_ADD):
        for n, line in enumerate(lines, start=number + 1):
            if not line.startswith("+"):
                raise PatchError(f"line {n}: expected each line of a new file to begin with +, got {_shown(line)}")
        return AddFile(_path(header, _ADD, number), "".join(f"{line[1:]}\n" for line in lines))
    if header.startswith(_DELETE):
        if any(line.strip() for line in lines):
            raise PatchError(f"line {number + 1}: expected nothing after Delete File, got {_shown(lines[0])}")
        return DeleteFile(_path(header, _DELETE, number))
    if header.startswith(_UPDATE):
        move_to = None
        if lines and lines[0].startswith(_MOVE):
            move_to = _path(lines[0].rstrip(), _MOVE, number + 1)
            lines = lines[1:]
            number += 1
        hunks = _hunks(lines, number=number + 1)
        if not hunks and move_to is None:
            raise PatchError(f"line {number}: expected lines to change, got none")
        return UpdateFile(_path(header, _UPDATE, number), hunks, move_to)
    raise PatchError(
        f"line {number}: expected '{_ADD.strip()}', '{_UPDATE.strip()}' or '{_DELETE.strip()}' and a path,"
        f" got {_shown(header)}"
    )


def _path(line: str, header: str, number: int) -> str:
    path = line.removeprefix(header).strip()
    if not path or "\0" in path:
        raise PatchError(f"line {number}: expected a path, got {_shown(path)}")
    return path


def _hunks(lines: Sequence[str], *, number: int) -> tuple[Hunk, ...]:
    hunks: list[Hunk] = []
    after: list[str] = []
    found: list[tuple[str, str]] = []

    def finish(*, at_end: bool) -> None:
        nonlocal after, found
        if found:
            hunks.append(Hunk(tuple(found), tuple(after), at_end))
            after, found = [], []

    for n, line in enumerate(lines, start=number):
        if line.startswith("@@"):
            finish(at_end=False)
            if name := line.removeprefix("@@").strip():
                after.append(name)
        elif line.rstrip() == _END_OF_FILE:
            finish(at_end=True)
        elif line[:1] in {" ", "+", "-"}:
            found.append((line[0], line[1:]))
        elif not line.strip():
            # Models leave out the space of an empty unchanged line.
            found.append((" ", ""))
        else:
            raise PatchError(
                f"line {n}: expected a line that begins with a space, + or -, or with @@, got {_shown(line)}"
            )
    finish(at_end=False)
    return tuple(hunks)


_READINGS: Final[tuple[Callable[[str], str], ...]] = (lambda line: line.removesuffix("\r"), str.rstrip, str.strip)


def _place(lines: list[str], hunk: Hunk, cursor: int, *, where: str) -> int:
    """Where a hunk begins."""
    for name in hunk.after:
        found = next((n for n in range(cursor, len(lines)) if lines[n].strip() == name), None)
        if found is None:
            raise PatchError(f"{where}: there is no line {_shown(name)} after line {cursor}; read the file again")
        cursor = found + 1
    old = [line for kind, line in hunk.lines if kind != "+"]
    if not old:
        return cursor if hunk.after else len(lines)
    last = len(lines) - len(old)
    for reading in _READINGS:
        wanted = [reading(line) for line in old]
        places = [last] if hunk.at_end else range(cursor, last + 1)
        for place in places:
            if place >= cursor and [reading(line) for line in lines[place : place + len(old)]] == wanted:
                return place
    raise PatchError(
        f"{where}: the lines it should change are not there (the first: {_shown(old[0])}); read the file again, and"
        " give unchanged lines exactly as they are"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "...")
