from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backchannel.wire.appserver import handshake
from tests.wire.appserver.made import N_EXAMPLES, comes_back, made, shapes_of


@pytest.mark.parametrize("kind", shapes_of(handshake), ids=lambda kind: kind.__name__)
@settings(max_examples=N_EXAMPLES)
@given(data=st.data())
def test_what_is_written_reads_as_the_same(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    assert comes_back(data.draw(made(kind)))


def test_what_our_own_clients_can_do_more_is_a_capability() -> None:
    told = b'{"clientInfo":{"name":"x","version":"1"},"capabilities":{"experimentalApi":true,"backchannel":true}}'
    params = msgspec.json.decode(told, type=handshake.InitializeParams)

    assert params.capabilities is not None
    assert params.capabilities.backchannel
    assert params.capabilities.experimental_api
    assert not msgspec.json.decode(b"{}", type=handshake.InitializeCapabilities).backchannel
