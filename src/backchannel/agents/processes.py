"""One child process: started in a process group of its own, read without end, and gone for certain.

Ownership: whoever starts a `Child` awaits `stop`, which is idempotent and bounded in time. A child's group gets SIGTERM
and, two seconds later, SIGKILL; so do processes that left the group, where the system lets us find them (they inherit a
mark in their environment, readable under /proc).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TERMINATE_S", "Child"]

TERMINATE_S: Final = 2.0
"""How long a process has to end by itself after SIGTERM."""

_REAP_S: Final = 3.0
_LINGER_S: Final = 0.3
"""How long silence lasts after the child's end until the output counts as over, when something else holds the pipe."""
_MAX_LINGER_S: Final = 3.0
_MAX_UNREAD_BYTES: Final = 65_536
_MAX_TAKEN_BYTES: Final = 16_384
"""Reading what more than this says would hold up the event loop for too long."""
_POLL_S: Final = 0.02
_MARK: Final = "BACKCHANNEL_CHILD"


class Child(asyncio.SubprocessProtocol):
    """A running command.

    Overflow rule: with 64 KiB unread the pipe is not read until `take` empties it, so the child waits.
    """

    def __init__(self, bell: asyncio.Event, *, thorough: bool) -> None:
        self._bell = bell
        self._thorough = thorough
        self._mark = secrets.token_hex(8)
        self._unread = bytearray()
        self._paused = False
        self._transport: asyncio.SubprocessTransport | None = None
        self._exited = asyncio.Event()
        self._lost = False
        self._lingered = False
        self._exited_s = 0.0
        self._active_s = 0.0
        self._stopping = asyncio.Lock()
        self._gone = False

    @classmethod
    async def start(
        cls, argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str], bell: asyncio.Event, thorough: bool
    ) -> Child:
        """Start a command; `bell` is set whenever it prints or ends.

        Raises:
            OSError: It cannot be started.
        """
        child = cls(bell, thorough=thorough)
        await asyncio.get_running_loop().subprocess_exec(
            lambda: child,
            *argv,
            cwd=cwd,
            env={**env, _MARK: child._mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return child

    # ---- what the event loop tells ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # The loop passes a subprocess transport here; the signature of the base class is wider.
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep output, up to the limit."""
        self._unread += data
        self._active_s = asyncio.get_running_loop().time()
        if len(self._unread) >= _MAX_UNREAD_BYTES and not self._paused:
            pipe = self._pipe()
            if pipe is not None:
                pipe.pause_reading()
                self._paused = True
        self._bell.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """There is no more output."""
        self._lost = True
        self._bell.set()

    def process_exited(self) -> None:
        """The process ended; others may still hold its pipe."""
        self._exited.set()
        self._bell.set()
        self._exited_s = self._active_s = asyncio.get_running_loop().time()
        self._linger()

    def _linger(self) -> None:
        loop = asyncio.get_running_loop()
        if self._lost or loop.time() > min(self._active_s + _LINGER_S, self._exited_s + _MAX_LINGER_S):
            self._lingered = True
            self._bell.set()
        else:
            loop.call_later(_LINGER_S, self._linger)

    # ---- what the turn asks ----

    def take(self) -> bytes:
        """The next output, at most 16 KiB of it; with more to come the bell is set again."""
        data = bytes(self._unread[:_MAX_TAKEN_BYTES])
        del self._unread[:_MAX_TAKEN_BYTES]
        if self._unread:
            self._bell.set()
        elif self._paused:
            self._paused = False
            pipe = self._pipe()
            if pipe is not None and not self._lost and not self._gone:
                self._active_s = asyncio.get_running_loop().time()
                pipe.resume_reading()
        return data

    @property
    def ended(self) -> bool:
        """Whether the process ended and its output was read."""
        if not self._exited.is_set():
            return False
        return not self._unread and (self._lost or self._lingered)

    @property
    def exit_status(self) -> int | None:
        """As the shell has it, negative for a signal; None while it runs."""
        return None if self._transport is None else self._transport.get_returncode()

    async def stop(self) -> None:
        """End the process and all it started, and wait for that; returns within a few seconds."""
        async with self._stopping:
            if self._gone or self._transport is None:
                return
            for number in (signal.SIGTERM, signal.SIGKILL):
                if await self._end(number):
                    break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REAP_S):
                    await self._exited.wait()
            self._transport.close()
            self._gone = True

    async def _end(self, number: signal.Signals) -> bool:
        """Send a signal to everything that is left and wait for its end; False when something lives on."""
        deadline_s = asyncio.get_running_loop().time() + TERMINATE_S
        signalled: set[int] = set()
        while True:
            strays = await self._strays()
            if not strays and not await self._group_lives():
                return True
            if asyncio.get_running_loop().time() > deadline_s:
                return False
            if not signalled:
                self._signal_group(number)
            for pid in strays - signalled:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            signalled |= strays or {self._group}
            await asyncio.sleep(_POLL_S)

    @property
    def _group(self) -> int:
        return 0 if self._transport is None else self._transport.get_pid()

    async def _group_lives(self) -> bool:
        """Whether a process of the group still runs; one that only waits to be reaped does not."""
        if not self._signal_group(None):
            return False
        # Where nobody reaps orphans, as in many containers, the dead stay in the group for ever.
        lives = await asyncio.to_thread(_lives, self._group)
        return True if lives is None else lives

    async def _strays(self) -> set[int]:
        """What left the group, by the mark it inherited; only where /proc tells environments."""
        if not self._thorough:
            return set()
        return await asyncio.to_thread(_marked, f"{_MARK}={self._mark}".encode())

    def _signal_group(self, number: signal.Signals | None) -> bool:
        """Send a signal to the group (None only asks); False when nobody is left in it.

        The group's number is the leader's process id. It stays taken while a member lives, so no stranger has it.
        """
        if self._transport is None:
            return False
        try:
            os.killpg(self._group, 0 if number is None else number)
        except ProcessLookupError:
            return False
        except PermissionError:
            # macOS says so of a group whose only members wait to be reaped.
            return not self._exited.is_set()
        return True

    def _pipe(self) -> asyncio.ReadTransport | None:
        pipe = None if self._transport is None else self._transport.get_pipe_transport(1)
        # What a child writes comes through a read transport; the signature is wider, and uvloop's are of no such class.
        return None if pipe is None else cast("asyncio.ReadTransport", pipe)


def _process_ids() -> list[int]:
    try:
        return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]
    except OSError:
        return []


def _marked(mark: bytes) -> set[int]:
    """The processes whose environment has the mark."""
    marked: set[int] = set()
    for pid in _process_ids():
        with contextlib.suppress(OSError):
            if mark in Path("/proc", str(pid), "environ").read_bytes().split(b"\0"):
                marked.add(pid)
    return marked


def _lives(group: int) -> bool | None:
    """Whether a process group has a member that is not a zombie; None where /proc does not tell."""
    pids = _process_ids()
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            # After the name, which may hold anything: state, parent, group.
            state, _parent, its_group = Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()[:3]
            if int(its_group) == group and state not in (b"Z", b"X"):
                return True
    return False if pids else None
