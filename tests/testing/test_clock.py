from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from backchannel.errors import LocalProtocolError
from backchannel.testing import ManualClock

if TYPE_CHECKING:
    from backchannel.net import Clock


def test_time_moves_only_when_it_is_told_to() -> None:
    manual = ManualClock(start_s=10.0)
    clock: Clock = manual
    assert clock.now() == clock.now() == 10.0
    assert manual.advance(0.25) == clock.now() == 10.25
    assert manual.advance(0) == 10.25


@pytest.mark.parametrize("seconds", [-0.001, float("nan")])
def test_time_never_goes_back(seconds: float) -> None:
    clock = ManualClock()
    with pytest.raises(LocalProtocolError, match="moves forward"):
        clock.advance(seconds)
    assert clock.now() == 0.0
