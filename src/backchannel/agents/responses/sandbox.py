"""The sandbox in which commands run: bubblewrap, where it works.

It is tried by running something in it, since it may be installed and not allowed to. Inside, everything can be read
but the usual places of keys: what a command prints goes to the model, and without a network a key would be of no use.
Written can be only in the workspace, when that is wanted, and in a folder for temporary files of its own. The
workspace's `.git` stays as it is, because what stands there is run outside.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backchannel.agents.processes import Child
from backchannel.agents.responses.patching import PROTECTED
from backchannel.config import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.agents.responses.permission import Rules

__all__ = ["Confinement", "Sandbox", "find_sandbox"]

_PROGRAM: Final = "bwrap"
_PROBE_S: Final = 5.0
_HIDDEN: Final = (
    *(".ssh", ".aws", ".azure", ".docker", ".gnupg", ".kube", ".secrets", ".config/gcloud", ".config/gh"),
    *(".git-credentials", ".netrc", ".npmrc", ".pgpass", ".pypirc", ".codex/auth.json"),
)
"""Places in a home that hold keys."""
_CREDENTIALS: Final = "credentials.json"
"""Our own, in the folder of our state."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A sandbox that works here."""

    program: str
    root: Path
    """The workspace."""
    writable: bool
    """Whether commands may write there."""
    hidden: tuple[Path, ...] = ()
    """What they cannot read, each a folder or a file."""

    def wrap(self, argv: tuple[str, ...], *, cwd: Path) -> tuple[str, ...]:
        """The command that runs another one inside. It looks at the workspace, so it blocks."""
        root = os.path.realpath(self.root)
        inside = ["--bind" if self.writable else "--ro-bind", root, root]
        for name in PROTECTED:
            place = os.path.join(root, name)
            if self.writable and os.path.lexists(place):
                inside += ["--ro-bind", place, place]
        for path in self.hidden:
            inside += ["--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", os.devnull, str(path)]
        return (
            self.program,
            *("--die-with-parent", "--unshare-net", "--unshare-pid", "--unshare-ipc"),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
            *inside,
            *("--setenv", "TMPDIR", "/tmp"),
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
    hidden = await asyncio.to_thread(_places_of_keys, root, env)
    sandbox = Sandbox(program=program, root=root, writable=writable, hidden=hidden)
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


def _places_of_keys(root: Path, env: Mapping[str, str]) -> tuple[Path, ...]:
    """Those that there are, links followed. It blocks."""
    home = Path(env.get("HOME") or os.devnull)
    state = state_folder(env, platform=sys.platform, user_home=home)
    usual = (*(home / name for name in _HIDDEN), state / _CREDENTIALS)
    places = dict.fromkeys(Path(os.path.realpath(place)) for place in usual)
    workspace = Path(os.path.realpath(root))
    # Who works in such a place wants it read.
    return tuple(place for place in places if place.exists() and not workspace.is_relative_to(place))
