"""How the code is laid out: what the design says about imports, exports and tables, checked on every file."""

from __future__ import annotations

import ast
import enum
import importlib
import pathlib
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

import backchannel

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = pathlib.Path(backchannel.__file__).parent
MODULES: Final = sorted(PACKAGE.rglob("*.py"))

PURE_ROOMS: Final = ("core", "wire")
IMPURE: Final = {
    "asyncio", "concurrent", "contextvars", "datetime", "fcntl", "io", "logging", "multiprocessing", "os", "pathlib",
    "queue", "random", "sched", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl",
    "subprocess", "tempfile", "threading", "time", "urllib.request", "uuid",
}  # fmt: skip
"""What of the standard library may not be imported by a room that is pure."""
THIRD_PARTY_IN_PURE_ROOMS: Final = {"msgspec"}
PURE_ROOMS_MAY_USE: Final = {
    "core": ("backchannel.core", "backchannel.wire", "backchannel.errors"),
    "wire": ("backchannel.wire", "backchannel.errors"),
}


def name_of(path: pathlib.Path) -> str:
    """The dotted name of a module of the package."""
    parts = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(dotted: str) -> str:
    """`backchannel.net.tls` is in the room `net`; what stands alone at the top is its own room."""
    return dotted.split(".")[1] if "." in dotted else ""


def imports(tree: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    """Each import: its line, the module, and the name taken from it (None for a plain `import`)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, node.module or "", alias.name) for alias in node.names)


def parsed(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def is_package(dotted: str) -> bool:
    return (PACKAGE.parent / pathlib.Path(*dotted.split(".")) / "__init__.py").exists()


def is_module(dotted: str) -> bool:
    return is_package(dotted) or (PACKAGE.parent / pathlib.Path(*dotted.split("."))).with_suffix(".py").exists()


def impurities(source: str, *, room: str, filename: str) -> list[str]:
    """What a module of a pure room imports and may not, with file and line."""
    found = []
    for line, module, name in imports(ast.parse(source)):
        top = module.split(".")[0]
        if top == "backchannel":
            if not f"{module}.{name}".startswith(PURE_ROOMS_MAY_USE[room]):
                found.append(f"{filename}:{line}: {room} may not import {module}")
        elif top in sys.stdlib_module_names:
            if top in IMPURE or module in IMPURE or f"{module}.{name}" in IMPURE:
                found.append(f"{filename}:{line}: {room} is pure and may not import {module}")
        elif top not in THIRD_PARTY_IN_PURE_ROOMS:
            found.append(f"{filename}:{line}: {room} may only use msgspec, not {module}")
    return found


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_the_pure_rooms_import_nothing_that_is_not(room: str) -> None:
    found = [
        problem
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for problem in impurities(path.read_text(encoding="utf-8"), room=room, filename=str(path))
    ]

    assert found == []


@pytest.mark.parametrize(
    ("line", "is_pure"),
    [
        ("import time", False),
        ("import os.path", False),
        ("from time import monotonic", False),
        ("from urllib import request", False),
        ("from urllib.parse import urlsplit", True),
        ("import dataclasses, socket", False),
        ("import collections", True),
        ("import msgspec", True),
        ("import numpy as np", False),
        ("from backchannel.core import events", True),
        ("from backchannel.net import Clock", False),
        ("from backchannel import errors", True),
        ("from backchannel import net", False),
        ("def f() -> None:\n    import asyncio", False),
    ],
)
def test_the_check_of_the_pure_rooms_finds_what_it_should(line: str, *, is_pure: bool) -> None:
    found = impurities(f"x = 1\n{line}\n", room="core", filename="core/x.py")

    assert (found == []) is is_pure
    assert all(problem.startswith(("core/x.py:2: ", "core/x.py:3: ")) for problem in found)


def test_a_room_is_imported_from_its_root_only() -> None:
    found = []
    for path in MODULES:
        for line, module, name in imports(parsed(path)):
            parts = module.split(".")
            if parts[0] != PACKAGE.name or len(parts) <= 2 or parts[1] == room_of(name_of(path)):
                continue
            # A package inside a room is a room of its own.
            if not is_package(module):
                found.append(f"{path}:{line}: {name} has to come from {'.'.join(parts[:-1])}")
    assert found == []


def test_nobody_inside_takes_from_the_package_what_it_serves_to_others() -> None:
    served = {name for name, _ in served_lazily(parsed(PACKAGE / "__init__.py"))}
    found = [
        f"{path}:{line}: {name} has to come from its room"
        for path in MODULES
        for line, module, name in imports(parsed(path))
        if module == PACKAGE.name and name in served
    ]

    assert len(served) > 10
    assert found == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_exports_and_has_it(path: pathlib.Path) -> None:
    dotted = name_of(path)
    if path.name == "__main__.py":
        return
    tree = parsed(path)
    exported = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if isinstance(t, ast.Name)] == ["__all__"]
    ]
    defined = _top_level_names(tree) | {name for name, _ in served_lazily(tree)}
    if path.name == "__init__.py" and not defined:
        assert exported in ([], [[]])
        return
    assert len(exported) == 1, f"{dotted} has no __all__, or more than one"
    (names,) = exported
    assert len(names) == len(set(names)), "a name is exported twice"
    assert [name for name in names if name not in defined and not is_module(f"{dotted}.{name}")] == []


def served_lazily(tree: ast.Module) -> set[tuple[str, str]]:
    """The names that a module with a `__getattr__` imports for checkers of types only, and where they come from."""
    if not any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body):
        return set()
    return {
        (name, module)
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for _, module, name in imports(node)
        if name is not None
    }


def _top_level_names(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Assign(targets=targets):
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name.split(".")[0] for alias in names}
            case _:
                pass
    return found - {"annotations", "__all__"}


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=name_of)
def test_a_room_exports_only_what_is_its_own(path: pathlib.Path) -> None:
    dotted = name_of(path)
    foreign = [
        f"{path}:{line}: {module}"
        for line, module, _ in imports(parsed(path))
        if module != "__future__"
        and module != dotted
        and not module.startswith(f"{dotted}.")
        # What is loaded only when it is asked for needs tools for that.
        and not (served_lazily(parsed(path)) and module in sys.stdlib_module_names)
    ]

    assert foreign == []


LAZY: Final = [path for path in MODULES if path.name == "__init__.py" and served_lazily(parsed(path))]


@pytest.mark.parametrize("path", LAZY, ids=name_of)
def test_what_is_served_when_it_is_asked_for_is_there(path: pathlib.Path) -> None:
    dotted = name_of(path)
    served, package = served_lazily(parsed(path)), importlib.import_module(dotted)

    assert {name for name, _ in served} <= set(package.__all__)
    assert [name for name, room in served if getattr(package, name) is not vars(sys.modules[room])[name]] == []
    with pytest.raises(AttributeError, match=f"module '{dotted}' has no attribute 'Conversatoin'"):
        getattr(package, "Conversatoin")  # noqa: B009 - a checker of types would refuse it written plainly


def test_everything_in_the_package_is_served_when_it_is_asked_for() -> None:
    served = served_lazily(parsed(PACKAGE / "__init__.py"))
    assert {name for name, _ in served} == set(backchannel.__all__) - {"__version__"}


@pytest.mark.parametrize("name", [None, "Config"])
def test_the_package_loads_no_more_than_it_is_asked_for(name: str | None) -> None:
    # In a process of its own, since the tests have loaded everything.
    script = "import sys; before = set(sys.modules); import backchannel; {}; print(*set(sys.modules) - before)"
    ran = subprocess.run(
        [sys.executable, "-c", script.format("pass" if name is None else f"backchannel.{name}")],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ran.stdout.split())

    assert "backchannel" in loaded
    assert loaded.isdisjoint({"aiohttp", "asyncio", "backchannel.net", "backchannel.runtime", "click", "ssl"})
    assert ("backchannel.config" in loaded) is (name is not None)
    if name is None:
        assert {module for module in loaded if module.startswith("backchannel.")} == set()


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_table_of_transitions_has_a_row_for_every_state_and_input(room: str) -> None:
    tables = 0
    for path in sorted((PACKAGE / room).rglob("*.py")):
        module = importlib.import_module(name_of(path))
        table = vars(module).get("TRANSITIONS")
        if table is None:
            continue
        tables += 1
        states, inputs = module.State, module.Input
        assert issubclass(states, enum.Enum)
        assert set(table) == set(states), path
        for state, row in table.items():
            assert set(row) == set(inputs), f"{path}: {state}"
            assert set(row.values()) <= set(states), f"{path}: {state}"
    assert tables == {"core": 4, "wire": 0}[room]


def test_every_module_of_the_pure_rooms_has_a_test_file_of_its_own() -> None:
    tests = pathlib.Path(__file__).parent
    missing = [
        str(path.relative_to(PACKAGE))
        for room in PURE_ROOMS
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path.name != "__init__.py"
        and not (tests / path.relative_to(PACKAGE).with_name(f"test_{path.name}")).exists()
    ]

    assert missing == []
