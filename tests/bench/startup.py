"""How long the command line takes to answer."""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import time

RUNS = 15


def _took_ms(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "backchannel", *arguments], check=True, capture_output=True)
    return (time.perf_counter() - began) * 1000


def main() -> dict[str, float]:
    """Measure and return the figures (the first run of each warms up)."""
    figures = {}
    for option in ("--version", "--help"):
        _took_ms(option)
        figures[f"{option}: ms, median"] = statistics.median(_took_ms(option) for _ in range(RUNS))
    began = [time.perf_counter()]
    for _ in range(RUNS):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        began.append(time.perf_counter())
    figures["python itself: ms, median"] = 1000 * statistics.median(
        after - before for before, after in itertools.pairwise(began)
    )
    return figures
