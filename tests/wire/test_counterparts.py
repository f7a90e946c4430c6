from __future__ import annotations

import ast
import pathlib
import re
from typing import Final

HERE: Final = pathlib.Path(__file__).parent
README: Final = (HERE / "README.md").read_text(encoding="utf-8")
NAMED: Final = re.findall(r"`([\w/.]+\.py)::(?:(\w+)::)?(test_\w+)`", README)
"""File, class if there is one, and name of each test."""


def defined_in(file: pathlib.Path) -> set[tuple[str, str]]:
    """The tests of a file, each with its class or an empty name."""
    found = set()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for holder, nodes in [("", body), *((node.name, node.body) for node in body if isinstance(node, ast.ClassDef))]:
        functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        found |= {(holder, function.name) for function in functions}
    return found


def test_every_counterpart_that_is_named_exists() -> None:
    missing = [(file, holder, name) for file, holder, name in NAMED if (holder, name) not in defined_in(HERE / file)]

    assert len(NAMED) > 80
    assert missing == []


def test_what_is_named_is_understood_here() -> None:
    assert len(NAMED) == len(re.findall(r"::test_", README))
    assert {file.split("/")[1] for file, _, _ in NAMED if file.startswith("../")} == {
        "config",
        "context",
        "core",
        "net",
        "runtime",
        "tui",
    }


def test_every_test_of_the_reference_has_one_or_a_reason() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", README, re.MULTILINE)
    without = [there for there, here in rows if "::test_" not in here and there not in ("there", "---")]

    assert without == WITHOUT


WITHOUT: Final = ["attachment_replacement_scenario, failed_attachment_leaves_core_disconnected"]
"""What is not built here; the table says why."""
