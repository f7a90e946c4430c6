"""Searching the files: with ripgrep where it is installed, else in Python."""

from __future__ import annotations

import collections
import re
import shlex
import shutil
import time
from typing import TYPE_CHECKING, Final

from backchannel.agents.outputs import clean
from backchannel.agents.workspace.phrasing import counted, listed, said_path, sentence, shortened, spans
from backchannel.agents.workspace.steps import Answer, Call, Job, Run
from backchannel.net import SECRET_GLOBS, is_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.agents.workspace.requests import Search
    from backchannel.agents.workspace.steps import Cancelled
    from backchannel.agents.workspace.tree import Tree

__all__ = ["search"]

_MAX_HITS: Final = 1000
_SHOWN_HITS: Final = 60
_MAX_FILE_BYTES: Final = 1_000_000
_MAX_LINE_CHARS: Final = 200
_HIT: Final = re.compile(r"(?P<path>[^:\n]+):(?P<line>\d+):(?P<text>.*)")


def search(request: Search, *, tree: Tree, limit_s: float, env: Mapping[str, str]) -> Job:
    """Find a text: without its case unless it has capitals, and with any joint between its words.

    `retry backoff` finds `retry_backoff`, `retryBackoff` and `retry-backoff`. Files that may hold secrets, binary files
    and what git ignores (with ripgrep) are left out.
    """
    parts: list[str] = []
    if request.where is not None:
        where = request.where
        place = Call(lambda _cancelled: tree.parts(where))
        yield place
        parts = [part for part in place.value if not is_secret(part)]
        if not parts:
            return Answer(spoken=sentence(f"I found nothing called {shortened(where, 60)} in this workspace"))
    pattern, keeps_case = _pattern(request)
    tool = Call(lambda _cancelled: shutil.which("rg", path=env.get("PATH")))
    yield tool
    if tool.value is None:
        wanted = re.compile(pattern, 0 if keeps_case else re.IGNORECASE)
        scan = Call(lambda cancelled: _scan(tree, parts, wanted, limit_s=limit_s, cancelled=cancelled))
        yield scan
        return _answer(request, scan.value[0], complete=scan.value[1])
    run = Run(
        argv=(
            "rg",
            "--no-config",
            "--line-number",
            "--no-heading",
            "--with-filename",
            "--color=never",
            "--sort=path",
            "--max-count=200",
            f"--max-columns={_MAX_LINE_CHARS}",
            "--max-columns-preview",
            "--case-sensitive" if keeps_case else "--ignore-case",
            *(f"--iglob=!{glob}" for glob in SECRET_GLOBS),
            "-e",
            pattern,
            "--",
            *(parts[:200] or ["."]),
        ),
        limit_s=limit_s,
        shown=shlex.join(("rg", pattern, *parts[:5])),
    )
    yield run
    finished = run.finished
    if finished.exit_status is None:
        return Answer(spoken=sentence(f"the search took longer than {spans(finished.elapsed_s)}, so I stopped it"))
    hits: list[tuple[str, int, str]] = []
    for line in finished.text.splitlines():
        found = _HIT.fullmatch(line)
        path = "" if found is None else found["path"].removeprefix("./")
        if found is not None and not is_secret(path):
            hits.append((path, int(found["line"]), found["text"]))
    if not hits and finished.exit_status not in (0, 1):
        return Answer(spoken="The search reported an error.", details=finished.text[-2000:])
    return _answer(request, hits, complete=len(hits) < _MAX_HITS)


def _pattern(request: Search) -> tuple[str, bool]:
    """The regular expression of a search, and whether its case counts."""
    keeps_case = any(letter.isupper() for letter in request.text)
    if request.literal:
        return re.escape(request.text), True
    words = [re.escape(word) for word in request.text.split()]
    return r"[\s_./-]?".join(words), keeps_case and len(words) == 1


def _scan(
    tree: Tree, parts: list[str], wanted: re.Pattern[str], *, limit_s: float, cancelled: Cancelled
) -> tuple[list[tuple[str, int, str]], bool]:
    """The hits, found by reading each file, and whether all files were read."""
    deadline_s = time.monotonic() + limit_s
    hits: list[tuple[str, int, str]] = []
    for path in tree.files(cancelled):
        if parts and not any(path == part or path.startswith(f"{part}/") for part in parts):
            continue
        if is_secret(path):
            continue
        try:
            data = tree.read_head(path, _MAX_FILE_BYTES)
        except OSError:
            continue
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1):
            if wanted.search(line):
                hits.append((path, number, clean(line)[:_MAX_LINE_CHARS]))
                if len(hits) >= _MAX_HITS:
                    return hits, False
        if cancelled.is_set() or time.monotonic() > deadline_s:
            return hits, False
    return hits, True


def _answer(request: Search, hits: list[tuple[str, int, str]], *, complete: bool) -> Answer:
    what = shortened(request.text, 60)
    place = f" in {said_path(request.where)}" if request.where else ""
    if not hits:
        told = f"I found {what} nowhere{place}"
        return Answer(spoken=sentence(told if complete else f"{told}, but I could not look into all files"))
    by_file = collections.Counter(path for path, _line, _text in hits)
    many = "" if complete else "at least "
    names = [said_path(path) for path, _n in by_file.most_common(3)]
    told = f"{what} is on {many}{counted(len(hits), 'line')}{place} in {counted(len(by_file), 'file')}"
    told += f": {listed(names)}" if len(by_file) <= 3 else f", most in {listed(names[:2])}"
    lines = [f"{path}:{line}: {text.strip()}" for path, line, text in hits[:_SHOWN_HITS]]
    if len(hits) > _SHOWN_HITS:
        lines.append(f"... and {len(hits) - _SHOWN_HITS} more")
    return Answer(spoken=sentence(told), details="\n".join(lines))
