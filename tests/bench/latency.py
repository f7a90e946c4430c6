"""How long after the user's last word the first sound of the answer is heard, in a conversation of ten questions."""

from __future__ import annotations

import asyncio
import datetime
import os
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sample_repository import make_sample_repository

from backchannel.net import SystemClock
from backchannel.tui import ReplyHeard, ShownEvent, Step, TalkOptions, talk

if TYPE_CHECKING:
    from backchannel.tui import Screen

RUNS: Final = 10
_SPEECH: Final = Path(__file__).parents[2] / "scripts" / "demo" / "speech" / "what-changed-this-week.wav"


class _Latencies:
    """A screen that keeps the latencies."""

    def __init__(self) -> None:
        self.found_ms: list[int] = []

    def show(self, t: float, event: ShownEvent) -> None:
        """Keep it."""
        del t
        if isinstance(event, ReplyHeard):
            self.found_ms.append(event.latency_ms)


def main() -> dict[str, float]:
    """Measure and return the figures."""
    seen = _Latencies()
    screen: Screen = seen
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ)
        make_sample_repository(Path(folder), env=env, now=datetime.datetime.now().astimezone())
        steps = (Step(sound=_SPEECH),) * RUNS
        options = TalkOptions(cwd=Path(folder), steps=steps, timeout_s=300)
        asyncio.run(talk(options, shown_on=screen, env=env, clock=SystemClock()))
    latencies = sorted(seen.found_ms)
    return {
        "answers heard": len(latencies),
        "end of speech to first sound: ms, median": statistics.median(latencies),
        "end of speech to first sound: ms, p95": latencies[min(len(latencies) - 1, round(0.95 * len(latencies)))],
    }


if __name__ == "__main__":
    for name, figure in main().items():
        print(f"{name}: {figure:g}")
