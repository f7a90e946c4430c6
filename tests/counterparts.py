"""The tables that say where a test of the reference has its counterpart here, in the `README.md` beside our tests."""

from __future__ import annotations

import ast
import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pathlib

__all__ = ["Counterparts", "Named"]


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """A test that a table names."""

    file: str
    """Relative to the folder of the table."""
    holder: str
    """The class that it stands in, if there is one."""
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Counterparts:
    """The tables of one folder."""

    folder: pathlib.Path

    @property
    def text(self) -> str:
        """The page that they stand in."""
        return (self.folder / "README.md").read_text(encoding="utf-8")

    @property
    def named(self) -> list[Named]:
        """Every test that is named, in order."""
        return [Named(*found) for found in re.findall(r"`([\w/.]+\.py)::(?:(\w+)::)?(test_\w+)`", self.text)]

    @property
    def n_mentions(self) -> int:
        """How many names of tests there are, however they are spelt."""
        return len(re.findall(r"::test_", self.text))

    @property
    def rooms(self) -> set[str]:
        """The other rooms whose tests are named."""
        return {each.file.split("/")[1] for each in self.named if each.file.startswith("../")}

    def missing(self) -> list[Named]:
        """What is named and does not exist."""
        return [each for each in self.named if (each.holder, each.name) not in _defined_in(self.folder / each.file)]

    def rows(self) -> dict[str, str]:
        """What stands on the right, by what stands on the left."""
        rows = re.findall(r"^\| (.+?) \| (.+?) \|$", self.text, re.MULTILINE)
        return {there: here for there, here in rows if there not in ("there", "---")}

    def without(self) -> dict[str, str]:
        """What has no test here, with the reason that is given."""
        return {there: here for there, here in self.rows().items() if "::test_" not in here}


def _defined_in(file: pathlib.Path) -> set[tuple[str, str]]:
    """The tests of a file, each with its class or an empty name."""
    if not file.exists():
        return set()
    found = set()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for holder, nodes in [("", body), *((node.name, node.body) for node in body if isinstance(node, ast.ClassDef))]:
        functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        found |= {(holder, function.name) for function in functions}
    return found
