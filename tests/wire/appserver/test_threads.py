from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.appserver import threads as module
from tests.wire.appserver.forms import example, structs_of


@pytest.mark.parametrize("kind", structs_of(module))
@pytest.mark.parametrize("full", [True, False])
def test_every_message_keeps_its_value(kind: type[msgspec.Struct], *, full: bool) -> None:
    value = example(kind, full=full)
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value
