"""What a model's commands and patches may do without permission, and what could go wrong with those that may not. Pure.

| sandbox_mode | a command runs | a patch |
|---|---|---|
| `read-only` | in the sandbox, which writes nothing | needs permission |
| `workspace-write` | in the sandbox, which writes in the workspace | is applied |
| `danger-full-access` | without a sandbox | is applied |

What would run without a sandbox needs permission: because none works here, because the model asks to go without it, or
because that is the mode. `danger-full-access` with `never` is the one pair with which nothing is asked and all is run.
With `never` and another mode, what needs permission is declined. With `untrusted`, every command and every patch needs
permission. Commands that only read in the workspace need none, whatever the policy and with or without a sandbox.

Source: app-server.md 2.3 for the names; the rules are ours.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import shlex
from typing import TYPE_CHECKING, Final, Literal

from backchannel.core import Risk
from backchannel.net import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.agents.responses.where import Where
    from backchannel.config import Model
    from backchannel.core import FileChange

__all__ = ["Deed", "Rules", "Ruling", "deeds_of", "only_reads", "risks_of"]


@dataclasses.dataclass(frozen=True, slots=True)
class Deed:
    """Something that the user can permit for good: just this, and nothing like it."""

    kind: Literal["run", "write", "move", "delete"]
    what: str
    """A command as a shell reads it, or a file, whatever name leads to it."""
    where: str = ""
    """The folder that a command runs in, or where a file goes."""
    is_escalated: bool = False
    """Whether a command runs without the sandbox."""


def deeds_of(changes: tuple[FileChange, ...], *, real: Callable[[str], str]) -> frozenset[Deed]:
    """What a patch does to files, whatever it writes into them; nothing for what is no patch.

    Args:
        changes: The patch.
        real: The file that a name leads to.
    """
    deeds = set()
    for change in changes:
        path = real(change.path)
        if change.moved_to is not None:
            deeds.add(Deed("move", path, real(change.moved_to)))
        else:
            deeds.add(Deed("delete" if change.kind == "delete" else "write", path))
    return frozenset(deeds)


class Ruling(enum.Enum):
    """What becomes of something that the model wants."""

    GO = "go"
    ASK = "ask"
    DECLINE = "decline"
    """Nobody may be asked."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of a conversation."""

    policy: str
    mode: str
    sandboxed: bool
    """Whether commands run in a sandbox that works."""

    @classmethod
    def of(cls, model: Model, *, has_sandbox: bool) -> Rules:
        """The rules as they are configured, where a sandbox works or does not."""
        mode = model.sandbox_mode
        sandboxed = has_sandbox and mode != "danger-full-access"
        return cls(policy=model.approval_policy, mode=mode, sandboxed=sandboxed)

    def command(self, shell: str, *, where: Where, escalated: bool) -> Ruling:
        """What becomes of a command.

        Args:
            shell: As a shell reads it.
            where: Where it is to run.
            escalated: Whether it is to run without the sandbox.
        """
        if not escalated and only_reads(shell, where=where):
            return Ruling.GO
        if self.mode == "danger-full-access" and self.policy == "never":
            return Ruling.GO
        contained = self.sandboxed and not escalated
        if contained and self.policy != "untrusted":
            return Ruling.GO
        return self._wants_permission()

    def patch(self) -> Ruling:
        """What becomes of a patch."""
        if self.mode == "read-only" or self.policy == "untrusted":
            return self._wants_permission()
        return Ruling.GO

    def _wants_permission(self) -> Ruling:
        return Ruling.DECLINE if self.policy == "never" else Ruling.ASK


_PLAIN: Final = re.compile(r"[\w\s./,:=@%+\"'*?\[\]{}^-]*", re.ASCII)
"""Nothing by which a shell would run, write or look up anything else. Patterns for names are harmless."""
_PATTERN: Final = re.compile(r"[*?\[{]")
_READERS: Final = frozenset({"cat", "head", "ls", "pwd", "tail", "wc"})
_GIT_READERS: Final = frozenset({"blame", "diff", "log", "show", "status"})
_GIT_ABLE_TO_DO_MORE: Final = re.compile(r"--(?:o(?!neline$)|ext|textc|exec)")
"""Options that write a file or run a program, in every abbreviation that git takes."""


def only_reads(shell: str, *, where: Where) -> bool:
    """Whether a command does nothing but read in the workspace, and no file that may hold secrets. In doubt: no."""
    if "\n" in shell or not _PLAIN.fullmatch(shell):
        return False
    try:
        words = shlex.split(shell)
    except ValueError:
        return False
    if not words or "=" in words[0]:
        return False
    # What is read goes to the model, so keys, and what is not of this folder, are no matter of course.
    if any(_OUTSIDE.search(word) or is_secret(word) for word in words[1:]):
        return False
    # Nor may a name that looks harmless lead there, also where it ends an option: `--contents=name`, `-Sname`.
    ends = [word[at:] for word in words[1:] if word.startswith("-") for at in range(1, len(word))]
    if not all(map(where.may_be_read, ("", *words[1:], *ends))):
        return False
    if words[0] == "git":
        is_reader = len(words) > 1 and words[1] in _GIT_READERS and not any(map(_GIT_ABLE_TO_DO_MORE.match, words[2:]))
        return is_reader and where.is_plain_for_git
    # A pattern may stand for anything; of `ls` it shows names only.
    return words[0] in _READERS and (words[0] == "ls" or not any(map(_PATTERN.search, words[1:])))


# fmt: off
_NETWORK: Final = frozenset({
    "aws", "az", "cargo", "curl", "dig", "docker", "ftp", "gcloud", "gem", "gh", "go", "helm", "kubectl", "nc",
    "ncat", "npm", "npx", "pip", "pip3", "pipx", "pnpm", "podman", "poetry", "psql", "rsync", "scp", "sftp",
    "ssh", "svn", "telnet", "terraform", "uv", "uvx", "wget", "yarn", "apt", "apt-get", "brew", "dnf",
    "nslookup", "ping",
})
# fmt: on
_GIT_NETWORK: Final = frozenset({"clone", "fetch", "ls-remote", "pull", "push", "submodule"})
_DELETERS: Final = frozenset(["dd", "mkfs", "rm", "rmdir", "shred", "srm", "truncate", "unlink", "wipe"])
_GIT_DELETERS: Final = frozenset(
    {"branch", "checkout", "clean", "gc", "prune", "reset", "restore", "rm", "stash", "tag"}
)
# fmt: off
_INTERPRETERS: Final = frozenset({
    "ash", "bash", "dash", "eval", "fish", "ksh", "perl", "php", "python", "python3", "node", "ruby", "sh",
    "zsh", "xargs", "source", ".",
})
# fmt: on
_AS_SOMEBODY_ELSE: Final = frozenset({"doas", "su", "sudo"})
_ASSIGNMENT: Final = re.compile(r"\w+=")
_ENDS: Final = re.compile(r"(?:&&|\|\||[;|&\n()`{}]|\$\()+")
_OUTSIDE: Final = re.compile(r"(?:^|[=:>\"'\s])(?:/(?!dev/null\b)|~|\.\.(?:/|$|\s))")


def risks_of(shell: str) -> tuple[Risk, ...]:
    """What could go wrong with a command that runs without a sandbox, as far as its words tell."""
    found: set[Risk] = set()
    if _OUTSIDE.search(shell):
        found.add(Risk.OUTSIDE_WORKSPACE)
    for part in _ENDS.split(shell):
        found |= _risks_of_one(_words(part))
    return tuple(risk for risk in Risk if risk in found)


def _risks_of_one(words: list[str]) -> set[Risk]:
    while words and (_ASSIGNMENT.match(words[0]) or words[0] in {"env", "exec", "nohup", "time", "command", "nice"}):
        words = words[1:]
    if not words:
        return set()
    name, rest = words[0].rpartition("/")[2], words[1:]
    if name in _AS_SOMEBODY_ELSE:
        return {Risk.OUTSIDE_WORKSPACE, *_risks_of_one(rest)}
    if name in _INTERPRETERS:
        # It runs a program of its own, and what that does cannot be told.
        return {Risk.DELETE, Risk.NETWORK, Risk.OUTSIDE_WORKSPACE}
    if name == "git":
        return _risks_of_git(rest)
    found: set[Risk] = set()
    if name in _NETWORK:
        found.add(Risk.NETWORK)
    if name in _DELETERS or (name == "find" and {"-delete", "-exec", "-execdir", "-ok"} & set(rest)):
        found.add(Risk.DELETE)
    return found


def _risks_of_git(words: list[str]) -> set[Risk]:
    found: set[Risk] = set()
    while words and words[0].startswith("-"):
        # `-C` and `-c` lead it elsewhere, or have it run something.
        found.add(Risk.OUTSIDE_WORKSPACE)
        words = words[2:] if words[0] in {"-C", "-c"} else words[1:]
    if not words:
        return found
    verb, rest = words[0], words[1:]
    if verb in _GIT_NETWORK:
        found.add(Risk.NETWORK)
    if verb in _GIT_DELETERS:
        found.add(Risk.DELETE)
    if verb == "push" and any(re.match(r"-\w*f|--force|--mirror|--delete|-\w*d|--prune|\+|:", word) for word in rest):
        found.add(Risk.FORCE_PUSH)
    return found


def _words(shell: str) -> list[str]:
    try:
        return shlex.split(shell)
    except ValueError:
        return shell.split()
