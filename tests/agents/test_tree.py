from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from backchannel.agents.workspace.tree import Found, NotShown, Tree
from tests.agents.projects import write

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "README.md": "readme",
    "Makefile": "all:",
    "core/retry_policy.py": "",
    "core/README.md": "",
    "tests/core/test_retry.py": "",
    "tests/test_core.py": "",
    "docs/guide.md": "",
    "node_modules/core/index.js": "",
    ".git/config": "",
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    write(tmp_path, FILES)
    return Tree(tmp_path)


def test_what_tools_made_is_not_listed(tree: Tree) -> None:
    assert sorted(tree.files()) == sorted(name for name in FILES if not name.startswith(("node_modules", ".git")))
    assert tree.folders() == ["core", "docs", "tests", "tests/core"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("read me", "README.md"),
        ("make file", "Makefile"),
        ("retry policy dot p y", "core/retry_policy.py"),
        ("retry policy", "core/retry_policy.py"),
        ("test core", "tests/test_core.py"),
        ("core/README.md", "core/README.md"),
        ("documentation", "docs"),
        ("guide", "docs/guide.md"),
    ],
)
def test_a_name_means_a_file(tree: Tree, name: str, path: str) -> None:
    found = tree.locate(name)
    assert isinstance(found, Found)
    assert found.path == path
    assert found.is_folder == (path == "docs")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unicorn", NotShown.MISSING),
        ("", NotShown.MISSING),
        ("?!", NotShown.MISSING),
        ("a\0b", NotShown.MISSING),
        ("x" * 5000, NotShown.MISSING),
        ("../x", NotShown.OUTSIDE),
        ("/etc/hosts", NotShown.OUTSIDE),
        ("~root/x", NotShown.OUTSIDE),
        (".git/config", NotShown.SECRET),
    ],
)
def test_a_name_that_means_nothing_we_show(tree: Tree, name: str, reason: NotShown) -> None:
    if name == "":
        # The empty path is the workspace itself.
        assert tree.locate(name) == Found(path="", is_folder=True)
    else:
        assert tree.locate(name) is reason


@pytest.mark.parametrize(
    ("where", "parts"),
    [
        ("core", ["core", "tests/core", "tests/test_core.py"]),
        ("docs", ["docs"]),
        ("documentation", ["docs"]),
        ("tests/core", ["tests/core"]),
        ("tests/test_core.py", ["tests/test_core.py"]),
        ("moon", []),
        ("../", []),
        ("", []),
    ],
)
def test_a_place_names_parts(tree: Tree, where: str, parts: list[str]) -> None:
    assert sorted(tree.parts(where)) == sorted(parts)
