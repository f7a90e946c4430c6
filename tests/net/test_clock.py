from __future__ import annotations

import time

from backchannel.net import Clock, SystemClock


def test_it_is_the_monotonic_clock() -> None:
    clock: Clock = SystemClock()
    before = time.monotonic()
    now = clock.now()
    assert before <= now <= time.monotonic()
