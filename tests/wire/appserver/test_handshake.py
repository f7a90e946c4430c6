from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.appserver import handshake as module
from tests.wire.appserver.forms import example, structs_of


@pytest.mark.parametrize("kind", structs_of(module))
@pytest.mark.parametrize("full", [True, False])
def test_every_message_keeps_its_value(kind: type[msgspec.Struct], *, full: bool) -> None:
    value = example(kind, full=full)
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


def test_what_a_client_says_besides_is_passed_over() -> None:
    data = b'{"clientInfo": {"name": "x", "version": "1"}, "capabilities": {"requestAttestation": true}, "more": 1}'
    read = msgspec.json.decode(data, type=module.InitializeParams)
    assert read.capabilities == module.Capabilities()
