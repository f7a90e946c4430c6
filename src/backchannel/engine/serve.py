"""`backchannel engine`: the engine by itself, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

from backchannel.engine.server import Engine, EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["serve"]

_EXIT_INTERRUPTED: Final = 130


async def serve(*, host: str, port: int, env: Mapping[str, str], tell: Callable[[str], None]) -> int:
    """Listen until Ctrl-C or SIGTERM; the exit status.

    Raises:
        UsageError: The address is not one of this machine's loopback.
        ListenError: The address is taken.
        MissingComponentError: The extra `local` is not installed.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Engine(EngineOptions(host=host, port=port, env=env, on_notice=tell)) as engine:
        tell(f"listening on {engine.url} (Ctrl-C ends it)")
        await stopped.wait()
    return _EXIT_INTERRUPTED
