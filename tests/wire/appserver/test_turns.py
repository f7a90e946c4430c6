from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.appserver import turns as module
from tests.wire.appserver.forms import example, structs_of


@pytest.mark.parametrize("kind", structs_of(module))
@pytest.mark.parametrize("full", [True, False])
def test_every_message_keeps_its_value(kind: type[msgspec.Struct], *, full: bool) -> None:
    value = example(kind, full=full)
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


@pytest.mark.parametrize("name", ["responsesapiClientMetadata", "clientMetadata"])
def test_the_clients_metadata_has_two_names(name: str) -> None:
    data = f'{{"threadId": "t", "input": [], "{name}": {{"a": "b"}}}}'
    read = msgspec.json.decode(data, type=module.TurnStartParams)
    assert {"a": "b"} in (read.responsesapi_client_metadata, read.client_metadata)
