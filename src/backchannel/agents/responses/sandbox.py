"""The sandbox in which commands run: bubblewrap, where it works.

It is tried by running something in it, since it may be installed and not allowed to. Inside, everything can be read;
written can be only in the workspace, when that is wanted, and in a folder for temporary files of its own; there is no
network. The workspace's `.git` stays as it is, because what stands there is run outside.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
from typing import TYPE_CHECKING, Final

from backchannel.agents.processes import Child
from backchannel.agents.responses.patching import PROTECTED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from backchannel.agents.responses.permission import Rules

__all__ = ["Confinement", "Sandbox", "find_sandbox"]

_PROGRAM: Final = "bwrap"
_PROBE_S: Final = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A sandbox that works here."""

    program: str
    root: Path
    """The workspace."""
    writable: bool
    """Whether commands may write there."""

    def wrap(self, argv: tuple[str, ...], *, cwd: Path) -> tuple[str, ...]:
        """The command that runs another one inside. It looks at the workspace, so it blocks."""
        root = os.path.realpath(self.root)
        inside = ["--bind" if self.writable else "--ro-bind", root, root]
        for name in PROTECTED:
            place = os.path.join(root, name)
            if self.writable and os.path.lexists(place):
                inside += ["--ro-bind", place, place]
        return (
            self.program,
            *("--die-with-parent", "--unshare-net", "--unshare-pid", "--unshare-ipc"),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
            *inside,
            *("--chdir", os.path.realpath(cwd), "--"),
            *argv,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Confinement:
    """What keeps a model's commands where they belong."""

    rules: Rules
    sandbox: Sandbox | None
    """In which they run; None: they run without."""


async def find_sandbox(root: Path, *, writable: bool, env: Mapping[str, str]) -> Sandbox | None:
    """The sandbox for a workspace; None where none works."""
    program = await asyncio.to_thread(shutil.which, _PROGRAM, path=env.get("PATH"))
    if program is None:
        return None
    sandbox = Sandbox(program=program, root=root, writable=writable)
    argv = await asyncio.to_thread(sandbox.wrap, ("true",), cwd=root)
    bell = asyncio.Event()
    try:
        child = await Child.start(argv, cwd=root, env=env, bell=bell, thorough=False)
    except OSError:
        return None
    try:
        async with asyncio.timeout(_PROBE_S):
            while not child.ended:
                await bell.wait()
                bell.clear()
                child.take()
    except TimeoutError:
        return None
    finally:
        await child.stop()
    return sandbox if child.exit_status == 0 else None
