"""Which test runner a project has, and how it is started.

Found by what lies in the workspace: pytest (configured, or Python tests; with the project's own interpreter where it
has one), `unittest` where pytest is nowhere, then cargo, go, npm and make.

The workspace stays as it is: pytest keeps its cache in a folder of the agent's, and no byte code is written. What the
other runners build in their own ignored folders (`target`, `node_modules/.cache`) is theirs.

Everything here blocks: it runs in a thread.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib.util
import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backchannel.agents.workspace.tree import is_test_file
from backchannel.agents.workspace.words import spoken_name, squeezed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.agents.workspace.requests import RunTests
    from backchannel.agents.workspace.tree import Tree

__all__ = ["ENVIRONMENT", "Plan", "RunnerKind", "Unplanned", "plan", "recorded_failures"]


class RunnerKind(enum.Enum):
    """A test runner; the value is its name."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    CARGO = "cargo"
    GO = "go"
    NPM = "npm"
    MAKE = "make"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the tests will be run."""

    kind: RunnerKind
    argv: tuple[str, ...]
    shown: str
    """The command as a person would type it."""
    scope: str
    """What is run, to be said: `the tests`, `the core tests`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unplanned:
    """Why no tests can be run, as a sentence."""

    reason: str


_MAX_READ: Final = 500_000
_MAX_PARTS: Final = 200
ENVIRONMENT: Final = (
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHONUNBUFFERED", "1"),
    ("PY_COLORS", "0"),
    ("NO_COLOR", "1"),
    ("FORCE_COLOR", "0"),
    ("CARGO_TERM_COLOR", "never"),
    ("CI", "1"),
    ("npm_config_update_notifier", "false"),
    ("GIT_OPTIONAL_LOCKS", "0"),
)
"""Added to the environment of a test run."""


def plan(
    request: RunTests, *, tree: Tree, env: Mapping[str, str], cache: Path, failed: tuple[str, ...]
) -> Plan | Unplanned:
    """Decide how to run what was asked.

    Args:
        request: What was asked.
        tree: The workspace.
        env: The environment, for its PATH.
        cache: A folder outside the workspace for pytest's cache.
        failed: The names of the tests that failed last, as the runner calls them.
    """
    files = list(tree.files())
    kind = _kind(tree, files)
    if kind is None:
        return Unplanned(reason="I found no tests in this workspace.")
    if request.only_failed and not failed:
        return Unplanned(reason="No failed test is on record, so there is nothing to run again.")
    if kind in (RunnerKind.PYTEST, RunnerKind.UNITTEST):
        return _python(request, tree=tree, files=files, env=env, cache=cache, failed=failed)
    program = "npm" if kind is RunnerKind.NPM else kind.value
    if shutil.which(program, path=env.get("PATH")) is None:
        return Unplanned(reason=f"The tests need {program}, which is not installed here.")
    return _other(kind, request, tree=tree, failed=failed)


def recorded_failures(tree: Tree) -> tuple[str, ...]:
    """The tests that pytest recorded as failed in the workspace's own cache; empty without one."""
    try:
        recorded = json.loads(tree.read_head(".pytest_cache/v/cache/lastfailed", _MAX_READ))
    except (OSError, ValueError, RecursionError):
        return ()
    if not isinstance(recorded, dict):
        return ()
    names = [name for name in recorded if isinstance(name, str) and not name.startswith("-") and ".." not in name]
    return tuple(names[:_MAX_PARTS])


def _kind(tree: Tree, files: list[str]) -> RunnerKind | None:
    if any(is_test_file(path) for path in files) or _pytest_configured(tree, files):
        return RunnerKind.PYTEST
    if "Cargo.toml" in files:
        return RunnerKind.CARGO
    if "go.mod" in files:
        return RunnerKind.GO
    if "package.json" in files and _npm_test(tree):
        return RunnerKind.NPM
    for name in ("Makefile", "makefile", "GNUmakefile"):
        if name in files and re.search(r"^test\s*:(?!=)", _text(tree, name), re.MULTILINE):
            return RunnerKind.MAKE
    return None


def _pytest_configured(tree: Tree, files: list[str]) -> bool:
    if "pytest.ini" in files or "conftest.py" in files:
        return True
    marks = (("pyproject.toml", "[tool.pytest"), ("setup.cfg", "[tool:pytest]"), ("tox.ini", "[pytest]"))
    return any(path in files and mark in _text(tree, path) for path, mark in marks)


def _npm_test(tree: Tree) -> bool:
    try:
        package = json.loads(_text(tree, "package.json"))
    except (ValueError, RecursionError):
        return False
    scripts = package.get("scripts") if isinstance(package, dict) else None
    script = scripts.get("test") if isinstance(scripts, dict) else None
    return isinstance(script, str) and "no test specified" not in script


def _text(tree: Tree, path: str) -> str:
    try:
        return tree.read_head(path, _MAX_READ).decode(errors="replace")
    except OSError:
        return ""


# ---- Python ---------------------------------------------------------------------------------------------------


def _interpreter(tree: Tree, env: Mapping[str, str]) -> tuple[str, bool] | None:
    """The interpreter for the tests and whether it has pytest."""
    own: str | None = None
    for folder in (".venv", "venv", "env"):
        python = tree.root / folder / "bin" / "python"
        if python.exists():
            own = str(python)
            if any((tree.root / folder).glob("lib/python3*/site-packages/pytest/__init__.py")):
                return own, True
    if own is not None:
        return own, False
    active = Path(env.get("VIRTUAL_ENV", ""))
    if active.is_absolute() and any(active.glob("lib/python3*/site-packages/pytest/__init__.py")):
        return str(active / "bin" / "python"), True
    if importlib.util.find_spec("pytest") is not None:
        return sys.executable, True
    script = shutil.which("pytest", path=env.get("PATH"))
    beside = Path(script).parent / "python3" if script is not None else None
    if beside is not None and beside.exists():
        return str(beside), True
    python3 = sys.executable or shutil.which("python3", path=env.get("PATH"))
    return None if not python3 else (python3, False)


def _python(
    request: RunTests, *, tree: Tree, files: list[str], env: Mapping[str, str], cache: Path, failed: tuple[str, ...]
) -> Plan | Unplanned:
    interpreter = _interpreter(tree, env)
    if interpreter is None:
        return Unplanned(reason="The tests need Python, which I did not find.")
    python, has_pytest = interpreter
    scope = "the failed tests" if request.only_failed else "the tests"
    targets: tuple[str, ...] = failed if request.only_failed else ()
    keyword = ""
    if request.where is not None and not request.only_failed:
        found = _restricted(request.where, tree, files)
        if found is None:
            return Unplanned(reason=f"I found no tests called {spoken_name(request.where)[:60]}.")
        targets, keyword = found
        scope = f"the {spoken_name(request.where).rpartition('/')[2][:40]} tests"
    if not has_pytest:
        return _unittest(request, python, targets, keyword, scope)
    argv = [
        *(python, "-m", "pytest", "-v", "--color=no", "--tb=short", "-rfE", f"--rootdir={tree.root}"),
        *("-o", "console_output_style=count", "-o", f"cache_dir={cache}"),
    ]
    if request.fail_fast:
        argv.append("-x")
    if request.skip_slow and _has_slow_mark(tree):
        argv += ["-m", "not slow"]
    if keyword:
        argv += ["-k", keyword]
    # A path must not be taken for an option.
    paths = [f"./{target}" if target.startswith("-") else target for target in targets]
    flags = argv[argv.index("-rfE") + 6 :]
    return Plan(kind=RunnerKind.PYTEST, argv=(*argv, *paths), shown=shlex.join(["pytest", *flags, *paths]), scope=scope)


def _unittest(request: RunTests, python: str, targets: tuple[str, ...], keyword: str, scope: str) -> Plan:
    argv = [python, "-m", "unittest"]
    flags = ["-v", *(["-f"] if request.fail_fast else []), *(["-k", keyword] if keyword else [])]
    modules = [target for target in targets if target.endswith(".py") or request.only_failed]
    if modules:
        argv += [*flags, *modules]
    else:
        argv += ["discover", *flags, *(["-s", targets[0]] if targets else [])]
    return Plan(kind=RunnerKind.UNITTEST, argv=tuple(argv), shown=shlex.join(["python", *argv[1:]]), scope=scope)


def _has_slow_mark(tree: Tree) -> bool:
    paths = ("pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini", "conftest.py", "tests/conftest.py")
    return any(re.search(r"\bslow\b", _text(tree, path)) for path in paths)


def _restricted(where: str, tree: Tree, files: list[str]) -> tuple[tuple[str, ...], str] | None:
    """What a place names among the tests: paths, or else a keyword; None when it names nothing."""
    tests = [path for path in files if is_test_file(path)]
    parts = tree.parts(where)
    paths: list[str] = []
    for part in parts:
        below = [path for path in tests if path == part or path.startswith(f"{part}/")]
        if below:
            paths.append(part)
    if paths:
        return tuple(paths[:_MAX_PARTS]), ""
    key = squeezed(spoken_name(where))
    if not key:
        return None
    near = [path for path in tests if key in squeezed(path.rpartition("/")[2])]
    if near:
        return tuple(near[:_MAX_PARTS]), ""
    for path in tests[:500]:
        for name in _test_names(_text(tree, path)):
            if key in squeezed(name):
                return (), _keyword(key, name)
    return None


def _test_names(source: str) -> list[str]:
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name.lower().startswith("test")
    ]


def _keyword(key: str, name: str) -> str:
    """The part of a test's name that reads like the key: `retry_backoff` for `retrybackoff` of `test_retry_backoff`."""
    letters = [(i, letter.lower()) for i, letter in enumerate(name) if letter.isalnum()]
    start = "".join(letter for _i, letter in letters).index(key)
    return name[letters[start][0] : letters[start + len(key) - 1][0] + 1]


# ---- others ---------------------------------------------------------------------------------------------------


def _other(kind: RunnerKind, request: RunTests, *, tree: Tree, failed: tuple[str, ...]) -> Plan | Unplanned:
    where = None if request.where is None else spoken_name(request.where)
    scope = f"the {where.rpartition('/')[2][:40]} tests" if where else "the tests"
    if request.only_failed:
        scope = "the failed tests"
    if kind is RunnerKind.CARGO:
        name = failed[0] if request.only_failed else (where or "").replace(" ", "_")
        filters = (name,) if name and not name.startswith("-") else ()
        fail = () if request.fail_fast else ("--no-fail-fast",)
        return _plain(kind, ("cargo", "test", *fail, *filters), scope)
    if kind is RunnerKind.GO:
        folders = [part for part in tree.parts(where) if (tree.root / part).is_dir()] if where else []
        packages = tuple(f"./{part}/..." for part in folders) if where else ("./...",)
        if not packages:
            return Unplanned(reason=f"I found no folder called {(where or '')[:60]}.")
        flags = ("-failfast",) if request.fail_fast else ()
        short = ("-short",) if request.skip_slow else ()
        only = ("-run", f"^({'|'.join(re.escape(name) for name in failed)})$") if request.only_failed else ()
        return _plain(kind, ("go", "test", "-v", *flags, *short, *only, *packages[:_MAX_PARTS]), scope)
    if where is not None or request.only_failed:
        if kind is RunnerKind.NPM and where is not None and not where.startswith("-"):
            return _plain(kind, ("npm", "test", "--silent", "--", where), scope)
        return Unplanned(reason=f"These tests run by {kind.value}, and I know no way to run only a part of them.")
    argv = ("npm", "test", "--silent") if kind is RunnerKind.NPM else ("make", "test")
    return _plain(kind, argv, scope)


def _plain(kind: RunnerKind, argv: tuple[str, ...], scope: str) -> Plan:
    return Plan(kind=kind, argv=argv, shown=shlex.join(argv), scope=scope)
