from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from backchannel.server import json_schema, json_schema_files
from backchannel.wire.appserver import CLIENT_NOTIFICATIONS, METHODS, NOTIFICATIONS, SERVER_REQUESTS, UNIONS

REFERENCE = re.compile(r'"\$ref": "#/\$defs/(\w+)"')

FILES = {name: json.loads(content) for name, content in json_schema_files().items()}
WHOLE: dict[str, Any] = FILES["schema.json"]["$defs"]


def test_there_is_a_document_for_each_method_and_notification_beside_the_whole() -> None:
    names = [*METHODS, *SERVER_REQUESTS, *CLIENT_NOTIFICATIONS, *NOTIFICATIONS]

    assert set(FILES) == {"schema.json", *(f"{name.replace('/', '.')}.json" for name in names)}
    assert FILES["schema.json"] == json.loads(msgspec.json.encode(json_schema()))


@pytest.mark.parametrize("name", FILES)
def test_a_document_has_every_definition_that_it_refers_to(name: str) -> None:
    document = FILES[name]

    assert set(REFERENCE.findall(json.dumps(document))) <= set(document["$defs"])
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"schema.json"}))
def test_the_document_of_a_method_has_no_more_than_it_needs(name: str) -> None:
    document = FILES[name]

    assert set(REFERENCE.findall(json.dumps(document))) == set(document["$defs"])
    assert {key: WHOLE[key] for key in document["$defs"]} == document["$defs"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("ClientRequest", METHODS),
        ("ServerRequest", SERVER_REQUESTS),
        ("ClientNotification", CLIENT_NOTIFICATIONS),
        ("ServerNotification", NOTIFICATIONS),
    ],
)
def test_what_can_be_sent_is_listed(kind: str, names: dict[str, object]) -> None:
    assert [each["properties"]["method"]["const"] for each in WHOLE[kind]["oneOf"]] == list(names)


def test_a_request_says_what_it_needs_and_what_it_gives() -> None:
    request = FILES["thread.realtime.start.json"]

    assert request["properties"]["params"] == {"$ref": "#/$defs/ThreadRealtimeStartParams"}
    assert request["x-result"] == {"$ref": "#/$defs/Empty"}
    assert request["x-experimental"] is True
    assert request["required"] == ["id", "method", "params"]
    assert WHOLE["ThreadRealtimeStartParams"]["required"] == ["threadId", "outputModality"]


def test_parameters_that_may_be_left_out_are_not_required() -> None:
    assert FILES["account.logout.json"]["required"] == ["id", "method"]


def test_experimental_fields_are_named() -> None:
    assert FILES["thread.start.json"]["x-experimental-fields"][0] == "allowProviderModelFallback"
    assert "x-experimental-fields" not in FILES["thread.read.json"]


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        ("thread.realtime.playback", True),
        ("thread.realtime.warning", True),
        ("thread.realtime.stop", False),
        ("thread.realtime.closed", False),
    ],
)
def test_what_only_backchannel_has_is_marked(name: str, *, is_ours: bool) -> None:
    assert FILES[f"{name}.json"].get("x-backchannel", False) is is_ours


@pytest.mark.parametrize("name", UNIONS)
def test_what_has_a_name_is_referred_to_by_it(name: str) -> None:
    (alone, *_) = (choice for choice in WHOLE[name].get("anyOf", []) if "$ref" in choice)
    holders = {
        key
        for key, definition in WHOLE.items()
        if key not in UNIONS and json.dumps(alone) in json.dumps(definition) and "oneOf" not in definition
    }

    # Its parts stand nowhere but in the definition of the union itself.
    assert holders <= {"LoginAccountParams"}
    assert json.dumps({"$ref": f"#/$defs/{name}"}) in json.dumps(WHOLE)
