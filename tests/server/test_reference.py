"""The shapes that we read and write, beside those of the reference."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any, Final

import pytest

from backchannel.server import json_schema
from backchannel.wire.appserver import METHODS, NOTIFICATIONS, SERVER_REQUESTS
from tests.server.reduced import reduced

ROOT: Final = pathlib.Path(__file__).parents[2]
REFERENCE: Final[dict[str, Any]] = json.loads(
    (ROOT / "tests" / "golden" / "app_server_schema.json").read_text(encoding="utf-8")
)
PAGE: Final = ROOT / "docs" / "reference" / "app-server.md"
NOT_THERE: Final = "not there"


@pytest.mark.parametrize(
    ("kind", "ours"),
    [("ClientRequest", METHODS), ("ServerRequest", SERVER_REQUESTS), ("ServerNotification", NOTIFICATIONS)],
)
def test_what_the_reference_has_not_is_marked_as_ours(kind: str, ours: dict[str, Any]) -> None:
    assert {name for name, row in ours.items() if not getattr(row, "is_ours", False)} == set(REFERENCE["methods"][kind])


def test_what_the_reference_calls_experimental_is_so_here() -> None:
    experimental = {name for name, sort in REFERENCE["methods"]["ClientRequest"].items() if sort == "experimental"}
    fields = {
        method.params.__name__: sorted(method.experimental_fields)
        for method in (*METHODS.values(), *SERVER_REQUESTS.values())
        if method.experimental_fields and isinstance(method.params, type)
    }

    assert {name for name, method in METHODS.items() if method.is_experimental and not method.is_ours} == experimental
    assert fields == REFERENCE["experimental_fields"]


# ---- the shapes, beside those of the reference ----


def differences() -> set[tuple[str, str, str]]:
    """Each field that is not the same in both: where it is, what it is here, and what it is there."""
    definitions = json_schema()["$defs"]
    assert isinstance(definitions, dict)
    ours, theirs = reduced(definitions), REFERENCE["shapes"]
    found = set()
    for shape, fields in theirs.items():
        here = ours.get(shape)
        if here is None:
            found.add((shape, NOT_THERE, "object"))
            continue
        for field in {*fields, *here}:
            pair = here.get(field, NOT_THERE), fields.get(field, NOT_THERE)
            if pair[0] != pair[1]:
                found.add((f"{shape}.{field}".rstrip("."), *pair))
    kinds: list[object] = [method.params for method in METHODS.values()]
    kinds.extend(told.params for told in NOTIFICATIONS.values())
    names = {kind.__name__ for kind in kinds if isinstance(kind, type)}
    found |= {(name, "object", NOT_THERE) for name in names if name not in theirs}
    return found


def test_the_table_of_the_reference_says_where_it_is_from() -> None:
    assert REFERENCE["provenance"]["version"] == "0.169.0"
    assert len(REFERENCE["shapes"]) > 100


def test_every_difference_from_the_reference_is_documented_and_no_other() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Where the shapes differ")[2]
    documented = {
        (cells[0], cells[1], cells[2]) for cells in re.findall(r"^\| `([^`]*)` \| ([^|]*) \| ([^|]*) \|", table, re.M)
    }

    assert documented == differences()
