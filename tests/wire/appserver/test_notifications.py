from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backchannel.wire.appserver import notifications
from tests.wire.appserver.made import N_EXAMPLES, comes_back, made, shapes_of

if TYPE_CHECKING:
    import msgspec


@pytest.mark.parametrize("kind", shapes_of(notifications), ids=lambda kind: kind.__name__)
@settings(max_examples=N_EXAMPLES)
@given(data=st.data())
def test_what_is_written_reads_as_the_same(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    assert comes_back(data.draw(made(kind)))
