"""What needs permission, and what could go wrong with it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from backchannel.agents.responses.permission import Deed, Rules, Ruling, deeds_of, only_reads, risks_of
from backchannel.agents.responses.where import Where
from backchannel.config import Model
from backchannel.core import FileChange, Risk

if TYPE_CHECKING:
    from pathlib import Path

POLICIES = ("untrusted", "on-request", "on-failure", "never")
HERE = Where("/w", "/w")
MODES = ("read-only", "workspace-write", "danger-full-access")


def rules(policy: str, mode: str, *, has_sandbox: bool) -> Rules:
    return Rules(policy=policy, mode=mode, sandboxed=has_sandbox and mode != "danger-full-access")


def test_the_rules_are_those_of_the_configuration() -> None:
    assert Rules.of(Model(), has_sandbox=True) == Rules(policy="on-request", mode="workspace-write", sandboxed=True)
    assert not Rules.of(Model(sandbox_mode="danger-full-access"), has_sandbox=True).sandboxed
    assert not Rules.of(Model(), has_sandbox=False).sandboxed


def test_without_a_sandbox_every_command_needs_permission_but_for_one_pair() -> None:
    for policy, mode, has_sandbox in itertools.product(POLICIES, MODES, (True, False)):
        ruling = rules(policy, mode, has_sandbox=has_sandbox).command("make", where=HERE, escalated=True)
        if (policy, mode) == ("never", "danger-full-access"):
            assert ruling is Ruling.GO
        else:
            assert ruling is (Ruling.DECLINE if policy == "never" else Ruling.ASK)
    for policy, mode in itertools.product(POLICIES, MODES):
        unsandboxed = rules(policy, mode, has_sandbox=False)
        assert unsandboxed.command("make", where=HERE, escalated=False) is unsandboxed.command(
            "make", where=HERE, escalated=True
        )


@pytest.mark.parametrize("mode", ["read-only", "workspace-write"])
def test_in_a_sandbox_commands_run_unless_nothing_is_trusted(mode: str) -> None:
    for policy in ("on-request", "on-failure", "never"):
        assert rules(policy, mode, has_sandbox=True).command("make", where=HERE, escalated=False) is Ruling.GO
    assert rules("untrusted", mode, has_sandbox=True).command("make", where=HERE, escalated=False) is Ruling.ASK


def test_what_only_reads_runs_everywhere_but_not_out_of_a_sandbox() -> None:
    for policy, mode, has_sandbox in itertools.product(POLICIES, MODES, (True, False)):
        assert rules(policy, mode, has_sandbox=has_sandbox).command("ls -la", where=HERE, escalated=False) is Ruling.GO
    assert (
        rules("on-request", "read-only", has_sandbox=True).command("ls -la", where=HERE, escalated=True) is Ruling.ASK
    )


@pytest.mark.parametrize(
    ("policy", "mode", "ruling"),
    [
        ("on-request", "workspace-write", Ruling.GO),
        ("never", "workspace-write", Ruling.GO),
        ("never", "danger-full-access", Ruling.GO),
        ("untrusted", "workspace-write", Ruling.ASK),
        ("on-failure", "read-only", Ruling.ASK),
        ("never", "read-only", Ruling.DECLINE),
    ],
)
def test_patches(policy: str, mode: str, ruling: Ruling) -> None:
    assert rules(policy, mode, has_sandbox=False).patch() is ruling


@pytest.mark.parametrize(
    "shell",
    [
        "ls",
        "ls -la src/*.py",
        "cat 'a b.txt' c/d",
        "head -n 20 README.md",
        "pwd",
        "git status",
        "git log --oneline -5",
        "git diff HEAD^ -- a.py",
        "git show HEAD:a.py",
        "wc -l a",
    ],
)
def test_commands_that_only_read(shell: str) -> None:
    assert only_reads(shell, where=HERE)


@pytest.mark.parametrize(
    "shell",
    [
        "",
        "   ",
        "rm a",
        "ls; rm a",
        "ls && rm a",
        "ls | sh",
        "ls > a",
        "ls $(rm a)",
        "ls `rm a`",
        "ls\nrm a",
        "ls & rm a",
        "cat <(rm a)",
        "cat $HOME/x",
        "PATH=. ls",
        "./ls",
        "/tmp/ls",
        "git",
        "cat ../c",
        "cat /etc/passwd",
        "cat ~/.ssh/id_rsa",
        "cat .env",
        "cat .e*",
        "head secrets/a",
        "git diff --no-index a /x",
        "git push",
        "git -c core.pager=x log",
        "git log --output=a",
        "git log --outp a",
        "git diff --ext-diff",
        "git branch -D main",
        "find . -delete",
        "sed -i s/a/b/ x",
        "tee a",
        "cat 'unfinished",
        "ls \\\n rm",
        "ls \uff5e",
    ],
)
def test_commands_that_may_do_more(shell: str) -> None:
    assert not only_reads(shell, where=HERE)


def test_what_reads_elsewhere_may_do_more() -> None:
    for shell in ("ls", "cat config", "git status"):
        for folder in ("/", "/wide", "/w/secrets/a"):
            assert not only_reads(shell, where=Where("/w", folder))
        assert only_reads(shell, where=Where("/w", "/w/a"))
    assert not only_reads("cat config", where=Where("/w", "/w/.aws"))


def test_a_name_that_leads_elsewhere_is_not_just_read(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "key").symlink_to(".env")
    (root / "in").symlink_to("a")
    where = Where.of(root, "")
    for shell in ("cat out/f", "ls out", "cat key", "git diff --no-index in out"):
        assert not only_reads(shell, where=where)
    for shell in ("wc --files0-from=out/f", "git blame --contents=key a", "git blame -wSkey a", "git diff -Oout/f"):
        assert not only_reads(shell, where=where)
    assert only_reads("cat in", where=where)
    assert only_reads("git blame --contents=in -w a", where=where)


def test_git_is_not_trusted_in_what_could_be_a_repository_of_plain_files(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "HEAD").write_text("ref: refs/heads/main\n")
    for folder in ("x", "x/y"):
        assert not only_reads("git status", where=Where.of(tmp_path, folder))
        assert only_reads("ls", where=Where.of(tmp_path, folder))
    assert only_reads("git status", where=Where.of(tmp_path, ""))


@pytest.mark.parametrize(
    ("shell", "risks"),
    [
        ("make test", ()),
        ("pytest -q tests", ()),
        ("rm -rf build", (Risk.DELETE,)),
        ("cd a && rm b", (Risk.DELETE,)),
        ("git clean -fdx", (Risk.DELETE,)),
        ("find . -name x -delete", (Risk.DELETE,)),
        ("git push", (Risk.NETWORK,)),
        ("git push --force origin main", (Risk.FORCE_PUSH, Risk.NETWORK)),
        ("git push -f", (Risk.FORCE_PUSH, Risk.NETWORK)),
        ("git push origin +main", (Risk.FORCE_PUSH, Risk.NETWORK)),
        ("git push origin :main", (Risk.FORCE_PUSH, Risk.NETWORK)),
        ("git push --force-with-lease", (Risk.FORCE_PUSH, Risk.NETWORK)),
        ("git reset --hard", (Risk.DELETE,)),
        ("git -C x status", (Risk.OUTSIDE_WORKSPACE,)),
        ("curl example.com", (Risk.NETWORK,)),
        ("/usr/bin/curl example.com", (Risk.NETWORK, Risk.OUTSIDE_WORKSPACE)),
        ("pip install x", (Risk.NETWORK,)),
        ("FOO=1 npm install", (Risk.NETWORK,)),
        ("cp a /etc/b", (Risk.OUTSIDE_WORKSPACE,)),
        ("cp a ../b", (Risk.OUTSIDE_WORKSPACE,)),
        ("cp a ~/b", (Risk.OUTSIDE_WORKSPACE,)),
        ("echo x >/etc/b", (Risk.OUTSIDE_WORKSPACE,)),
        ("make >/dev/null", ()),
        ("sudo rm a", (Risk.DELETE, Risk.OUTSIDE_WORKSPACE)),
        ("python -c 'x'", (Risk.DELETE, Risk.NETWORK, Risk.OUTSIDE_WORKSPACE)),
        ("echo x | sh", (Risk.DELETE, Risk.NETWORK, Risk.OUTSIDE_WORKSPACE)),
        ("echo $(rm a)", (Risk.DELETE,)),
        ("echo 'unfinished; rm a", (Risk.DELETE,)),
        ("git", ()),
        ("", ()),
    ],
)
def test_risks_are_told_by_the_words(shell: str, risks: tuple[Risk, ...]) -> None:
    assert risks_of(shell) == risks


def test_what_a_patch_does_to_files() -> None:
    changes = (
        FileChange(path="a", kind="add", diff="1"),
        FileChange(path="b", kind="update", diff="1"),
        FileChange(path="c", kind="delete", diff=""),
        FileChange(path="d", kind="update", diff="1", moved_to="e"),
    )

    def real(name: str) -> str:
        return f"/w/{name}"

    assert deeds_of((), real=real) == frozenset()
    # To move a file is neither to delete it nor to write another one.
    assert deeds_of(changes, real=real) == {
        Deed("write", "/w/a"),
        Deed("write", "/w/b"),
        Deed("delete", "/w/c"),
        Deed("move", "/w/d", "/w/e"),
    }
