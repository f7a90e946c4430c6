"""What the project is, which files it has, and what stands in one."""

from __future__ import annotations

import collections
import json
import re
import tomllib
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.agents.outputs import clean
from backchannel.agents.workspace.phrasing import counted, listed, number, said_path, sentence, shortened
from backchannel.agents.workspace.steps import Answer, Call, Job
from backchannel.agents.workspace.tree import MAX_FILES, NotShown

if TYPE_CHECKING:
    from backchannel.agents.workspace.requests import ListFiles, ShowFile
    from backchannel.agents.workspace.tree import Tree

__all__ = ["describe", "list_files", "show_file"]

_MAX_SHOWN_BYTES: Final = 16_384
_MAX_SHOWN_LINES: Final = 200
_MAX_LISTED: Final = 200
_MAX_COUNTED_BYTES: Final = 8_000_000

_KINDS: Final[dict[str, str]] = {
    "py": "Python",
    "pyi": "Python",
    "js": "JavaScript",
    "mjs": "JavaScript",
    "cjs": "JavaScript",
    "jsx": "JavaScript",
    "ts": "TypeScript",
    "tsx": "TypeScript",
    "rs": "Rust",
    "go": "Go",
    "java": "Java",
    "kt": "Kotlin",
    "swift": "Swift",
    "c": "C",
    "h": "C",
    "cc": "C++",
    "cpp": "C++",
    "hpp": "C++",
    "cs": "C sharp",
    "rb": "Ruby",
    "php": "PHP",
    "sh": "shell",
    "bash": "shell",
    "html": "HTML",
    "css": "CSS",
    "scss": "CSS",
    "sql": "SQL",
    "md": "Markdown",
    "rst": "reStructuredText",
    "txt": "text",
    "toml": "TOML",
    "yaml": "YAML",
    "yml": "YAML",
    "json": "JSON",
    "xml": "XML",
    "lua": "Lua",
    "ex": "Elixir",
    "scala": "Scala",
}
_NO_LANGUAGES: Final = frozenset({"Markdown", "reStructuredText", "text", "TOML", "YAML", "JSON", "XML"})


def show_file(request: ShowFile, *, tree: Tree) -> Job:
    """Show the head of a file and say what it is; of a folder, list it."""
    located = Call(lambda _cancelled: tree.locate(request.name))
    yield located
    found = located.value
    said = shortened(request.name, 60)
    if found is NotShown.MISSING:
        return Answer(spoken=sentence(f"I found no file called {said} in this workspace"))
    if isinstance(found, NotShown):
        return Answer(spoken=found.value)
    if found.is_folder:
        return (yield from _list_below(tree, [found.path]))
    read = Call(lambda _cancelled: _read(tree, found.path))
    yield read
    if isinstance(read.value, str):
        return Answer(spoken=sentence(f"I cannot read {said_path(found.path)}: {read.value}"))
    data, n_lines = read.value
    name = said_path(found.path)
    if b"\0" in data[:8192]:
        return Answer(spoken=sentence(f"{name} is a binary file, so there is nothing to read in it"))
    if not data.strip():
        return Answer(spoken=sentence(f"{name} is empty"))
    text = clean(data[:_MAX_SHOWN_BYTES].decode(errors="replace"))
    lines = text.splitlines()[:_MAX_SHOWN_LINES]
    kind = _KINDS.get(name.rpartition(".")[2].lower(), "")
    more = "more than " if len(data) >= _MAX_COUNTED_BYTES else ""
    length = f"{more}{n_lines} lines" if n_lines != 1 else "one line"
    told = f"{name} is a {kind} file of {length}" if kind else f"{name} has {length}"
    title = _title(lines)
    if title:
        told += f"; it begins: {shortened(title, 90)}"
    shown = [found.path, "", *lines]
    if n_lines > len(lines):
        shown.append(f"[the first {len(lines)} of {n_lines} lines]")
    if found.others:
        shown += ["", "Also of that name: " + ", ".join(found.others)]
    return Answer(spoken=sentence(told), details="\n".join(shown))


def _read(tree: Tree, path: str) -> tuple[bytes, int] | str:
    """The file's bytes up to a bound and how many lines they are, or why they cannot be read."""
    try:
        data = tree.read_head(path, _MAX_COUNTED_BYTES)
    except OSError as error:
        return (error.strerror or "it cannot be opened").lower()
    return data, len(data.splitlines())


def _title(lines: list[str]) -> str:
    """What a file says of itself: its first line with words."""
    for line in lines[:20]:
        bare = line.strip().strip("#*=-/<>!\"'` ;").strip()
        if len(re.findall(r"[A-Za-z]{2,}", bare)) >= 1 and not line.startswith(("#!", "<?xml", "<!--", "[!")):
            return bare
    return ""


def list_files(request: ListFiles, *, tree: Tree) -> Job:
    """List files and folders, of the whole workspace or of one folder."""
    if request.where is None:
        return (yield from _list_below(tree, []))
    where = request.where
    parts = Call(lambda _cancelled: tree.parts(where))
    yield parts
    if not parts.value:
        return Answer(spoken=sentence(f"I found nothing called {shortened(where, 60)} in this workspace"))
    return (yield from _list_below(tree, parts.value))


def _list_below(tree: Tree, parts: list[str]) -> Job:
    listing = Call(lambda cancelled: list(tree.files(cancelled)))
    yield listing
    files = [path for path in listing.value if not parts or any(path == p or path.startswith(f"{p}/") for p in parts)]
    if not files:
        return Answer(spoken="There are no files here.")
    tops: collections.Counter[str] = collections.Counter()
    depth = parts[0].count("/") + 1 if len(parts) == 1 and parts[0] else 0
    for path in files:
        pieces = path.split("/")[depth:]
        if len(pieces) > 1:
            tops[pieces[0]] += 1
    many = "at least " if len(listing.value) >= MAX_FILES else ""
    place = (
        f"{listed([said_path(part) for part in parts])} holds "
        if parts
        else f"there {'is' if len(files) == 1 else 'are'} "
    )
    told = f"{place}{many}{counted(len(files), 'file')}"
    if tops:
        told += f" in {counted(len(tops), 'folder')}: {listed([name for name, _n in tops.most_common()], at_most=4)}"
    elif len(files) <= 4:
        told += f": {listed([said_path(path) for path in files], at_most=4)}"
    lines = files[:_MAX_LISTED]
    if len(files) > _MAX_LISTED:
        lines = [*lines, f"... and {len(files) - _MAX_LISTED} more"]
    return Answer(spoken=sentence(told), details="\n".join(lines))


class _ProjectTable(msgspec.Struct):
    name: str | None = None
    description: str | None = None


class _Manifest(msgspec.Struct):
    """The few fields of project files that say what a project is."""

    name: str | None = None
    description: str | None = None
    project: _ProjectTable | None = None
    package: _ProjectTable | None = None


def describe(*, tree: Tree) -> Job:
    """Say what the project is: its name, its languages, its folders, and what its readme says first."""
    look = Call(lambda cancelled: (list(tree.files(cancelled)), *_names(tree), _readme(tree)))
    yield look
    files, name, description, readme = look.value
    if not files:
        return Answer(spoken="This workspace is empty.")
    languages: collections.Counter[str] = collections.Counter()
    tops: collections.Counter[str] = collections.Counter()
    for path in files:
        language = _KINDS.get(path.rpartition(".")[2].lower())
        if language is not None and language not in _NO_LANGUAGES:
            languages[language] += 1
        tops[path.partition("/")[0] + "/" if "/" in path else "(top)"] += 1
    main = [language for language, n in languages.most_common(3) if n * 10 >= languages.total()]
    n_files = f"{'at least ' if len(files) >= MAX_FILES else ''}{number(len(files))} files"
    about = description or _first_sentence(readme)
    told = f"{name} is a {listed(main, at_most=4)} project of {n_files}" if main else f"{name} holds {n_files}"
    if about:
        told += f": {shortened(about, max(40, 190 - len(told)))}"
    lines = [readme, ""] if readme else []
    lines += ["Files by language:", *(f"{n:6}  {language}" for language, n in languages.most_common(12))]
    lines += ["", "Files by folder:", *(f"{n:6}  {top}" for top, n in tops.most_common(30))]
    return Answer(spoken=sentence(told), details="\n".join(lines))


def _names(tree: Tree) -> tuple[str, str]:
    """The project's name and its own description, as its project file has them."""
    for path in ("pyproject.toml", "package.json", "Cargo.toml"):
        if not tree.inside(tree.root / path):
            continue
        try:
            text = tree.read_head(path, 1_000_000).decode()
            table = json.loads(text) if path.endswith(".json") else tomllib.loads(text)
            manifest = msgspec.convert(table, _Manifest)
        except (OSError, ValueError, RecursionError, msgspec.ValidationError):
            continue
        for part in (manifest.project, manifest.package, manifest):
            if part is not None and part.name:
                return clean(part.name), clean(part.description or "")
    return tree.root.name or "this folder", ""


def _readme(tree: Tree) -> str:
    """The first paragraph of the readme that is prose."""
    for name in ("README.md", "README.rst", "README.txt", "README", "readme.md", "Readme.md"):
        if not tree.inside(tree.root / name):
            continue
        try:
            text = clean(tree.read_head(name, 32_768).decode(errors="replace"))
        except OSError:
            continue
        for paragraph in re.split(r"\n\s*\n", text):
            lines = [line.strip() for line in paragraph.strip().splitlines()]
            prose = [line for line in lines if line and not re.match(r"[#=\-*<>|!\[`~.:]{1,}(?!\w*\*)|={3,}", line)]
            if prose and len(prose) == len(lines) and sum(map(len, prose)) > 20:
                return re.sub(r"[*_`]|\[([^\]]*)\]\([^)]*\)", lambda found: found[1] or "", " ".join(prose))
        return ""
    return ""


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
