"""Runs the benchmarks that are named, or all of them, one after the other, and prints their figures.

    python -m tests.bench.run [NAME ...]

Each runs in a process of its own, so that none warms another one up. Whoever quotes a figure says on what machine it
was measured; those with a peer in the same run are given as ratios too.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final

NAMES: Final = (
    "startup",
    "wire_speed",
    "core_speed",
    "audio_path",
    "appserver_wire",
    "app_server",
    "app_server_soak",
    "context",
    "threads",
    "latency",
    "speech",
    "intents",
)


def main() -> int:
    """Run what is named."""
    parser = argparse.ArgumentParser(description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(NAMES)}")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    if arguments.here:
        (name,) = arguments.names
        for label, figure in _figures(name).items():
            print(f"{label:<55} {figure:12,.2f}")
        return 0
    failed = 0
    for name in arguments.names or NAMES:
        print(f"\n{name}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", "tests.bench.run", name, "--here"], check=False).returncode
    return failed


def _figures(name: str) -> dict[str, float]:
    match name:
        case "startup":
            from tests.bench import startup

            return startup.main()
        case "wire_speed":
            from tests.bench import wire_speed

            return wire_speed.main()
        case "core_speed":
            from tests.bench import core_speed

            return core_speed.main()
        case "audio_path":
            from tests.bench import audio_path

            return audio_path.main(Path.cwd())
        case "context":
            from tests.bench import context

            return context.main()
        case "latency":
            from tests.bench import latency

            return latency.main()
        case "speech":
            from tests.bench import speech

            return speech.main()
        case "intents":
            from tests.bench import intents

            return asyncio.run(intents.main())
        case "threads":
            from tests.bench import threads

            return threads.main()
        case "app_server":
            from tests.bench import app_server

            return app_server.main()
        case "app_server_soak":
            from tests.bench import app_server

            return app_server.soak()
        case "appserver_wire":
            from tests.bench import appserver_wire

            return appserver_wire.main()
        case _:
            raise AssertionError(f"checked before: {name}")


if __name__ == "__main__":
    sys.exit(main())
