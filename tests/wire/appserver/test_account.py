from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.appserver import account as module
from tests.wire.appserver.forms import example, structs_of


@pytest.mark.parametrize("kind", structs_of(module))
@pytest.mark.parametrize("full", [True, False])
def test_every_message_keeps_its_value(kind: type[msgspec.Struct], *, full: bool) -> None:
    value = example(kind, full=full)
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


def test_a_key_is_not_printed() -> None:
    assert "planted" not in repr(module.LoginParams(type="apiKey", api_key="planted"))
    assert msgspec.json.encode(module.AccountUpdated(auth_mode="apikey")) == b'{"authMode":"apikey","planType":null}'
