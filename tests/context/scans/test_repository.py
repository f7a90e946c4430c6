from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.scans import GaveUp, Project, Stop, branch_of, find_project, read_state
from backchannel.context.scans.repository import parse_status
from backchannel.context.sections import ChangedFile, RepositoryState, repository_state_section
from backchannel.net import SystemClock
from tests.planted import API_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "HOME": os.devnull,
}
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
ODD = ("two words.py", "tab\there", "new\nline", os.fsdecode(b"caf\xe9"), "-dash", "ä")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [*GIT, "-c", "protocol.file.allow=always", *arguments], cwd=folder, env=ENV, check=True, capture_output=True
    )


def repository(folder: Path, *, committed: bool = True) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    if committed:
        (folder / "a.py").write_text("a = 1\n")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", "first")
    return folder


def project_of(folder: Path) -> Project:
    project = find_project(str(folder))
    assert project is not None
    return project


def state_of(folder: Path, env: Mapping[str, str] = ENV, *, within_s: float = 10.0) -> RepositoryState:
    clock = SystemClock()
    return read_state(project_of(folder), env, Stop(clock, at=clock.now() + within_s))


def files_of(folder: Path) -> dict[str, str]:
    return {file.path: file.kind for file in state_of(folder).files or ()}


def test_the_repository_around_a_folder_is_found(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    (top / "web" / "src").mkdir(parents=True)
    expected = Project(root=str(top), checkout=str(top), git_folder=str(top / ".git"))
    assert find_project(str(top)) == expected
    assert find_project(str(top / "web" / "src")) == expected
    assert find_project(str(top / "gone" / "since")) == expected


def test_where_there_is_none_none_is_found(tmp_path: Path) -> None:
    assert find_project(str(tmp_path)) is None
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    assert find_project(str(tmp_path / "bare.git")) is None


def test_through_a_link_it_is_the_real_one(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    (tmp_path / "linked").symlink_to("app")
    assert project_of(tmp_path / "linked").root == str(top)


def test_a_linked_worktree_belongs_to_the_main_checkout(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    git(top, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    project = project_of(tmp_path / "side")
    assert (project.root, project.checkout) == (str(top), str(tmp_path / "side"))
    assert branch_of(project) == "side"
    assert state_of(tmp_path / "side").branch == "side"


def test_a_worktree_of_a_bare_repository_is_its_own(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    git(tmp_path, "clone", "-q", "--bare", str(top), "bare.git")
    git(tmp_path / "bare.git", "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    project = project_of(tmp_path / "side")
    assert (project.root, branch_of(project)) == (str(tmp_path / "side"), "side")


@pytest.mark.parametrize("points_back", ["", "/elsewhere/.git"])
def test_nobody_belongs_to_a_repository_that_does_not_know_of_it(tmp_path: Path, points_back: str) -> None:
    top = repository(tmp_path / "app")
    claimed = top / ".git" / "worktrees" / "forged"
    claimed.mkdir(parents=True)
    (claimed / "gitdir").write_text(points_back)
    forged = tmp_path / "forged"
    forged.mkdir()
    (forged / ".git").write_text(f"gitdir: {claimed}\n")
    assert project_of(forged).root == str(forged)


@pytest.mark.parametrize("pointer", ["", "gitdir:", "nonsense", "gitdir: \0", "gitdir: ../gone"])
def test_a_pointer_that_leads_nowhere_is_still_a_checkout(tmp_path: Path, pointer: str) -> None:
    (tmp_path / ".git").write_text(pointer)
    project = project_of(tmp_path)
    assert project.root == str(tmp_path)
    assert branch_of(project) is None


def test_a_submodule_is_a_repository_of_its_own(tmp_path: Path) -> None:
    inner, top = repository(tmp_path / "inner"), repository(tmp_path / "app")
    git(top, "submodule", "add", "-q", str(inner), "sub")
    project = project_of(top / "sub")
    assert project.root == str(top / "sub")
    assert state_of(top / "sub").branch == "main"
    assert files_of(top) == {".gitmodules": "staged", "sub": "staged"}


def test_everything_that_changed_is_told(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    for name in ("gone.py", "moved.py", "staged.py", "both.py"):
        (top / name).write_text(f"{name}\n" * 9)
    git(top, "add", "-A")
    git(top, "commit", "-qm", "second")
    (top / "a.py").write_text("a = 2\n")
    (top / "gone.py").unlink()
    git(top, "mv", "moved.py", "renamed.py")
    (top / "staged.py").write_text("new\n")
    (top / "both.py").write_text("new\n")
    git(top, "add", "staged.py", "both.py")
    (top / "both.py").write_text("newer\n")
    (top / "folder").mkdir()
    (top / "folder" / "inner.py").touch()
    for name in ODD:
        (top / name).touch()
    assert files_of(top) == {
        "a.py": "changed",
        "gone.py": "changed",
        "renamed.py": "staged",
        "staged.py": "staged",
        "both.py": "changed",
        "folder/": "new",
        **dict.fromkeys(ODD, "new"),
    }


def test_where_the_branch_stands_is_told(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin")
    git(tmp_path, "clone", "-q", str(origin), "app")
    top = tmp_path / "app"
    git(top, "commit", "-qm", "mine", "--allow-empty")
    git(top, "commit", "-qm", "mine too", "--allow-empty")
    git(origin, "commit", "-qm", "theirs", "--allow-empty")
    git(top, "fetch", "-q")
    state = state_of(top)
    assert (state.branch, state.upstream, state.ahead, state.behind) == ("main", "origin/main", 2, 1)
    assert state.commit is not None
    assert len(state.commit) == 40


def test_before_the_first_commit_there_is_none(tmp_path: Path) -> None:
    top = repository(tmp_path / "app", committed=False)
    (top / "a.py").touch()
    state = state_of(top)
    assert (state.branch, state.commit) == ("main", None)
    assert state.files == (ChangedFile(path="a.py", kind="new"),)


def test_without_a_branch_the_commit_is_told(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    git(top, "checkout", "-q", "--detach")
    state = state_of(top)
    assert state.branch is None
    assert state.commit is not None
    assert branch_of(project_of(top)) is None


def test_a_merge_under_way_and_its_conflicts_are_told(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    git(top, "checkout", "-qb", "side")
    (top / "a.py").write_text("a = 2\n")
    git(top, "commit", "-qam", "side")
    git(top, "checkout", "-q", "main")
    (top / "a.py").write_text("a = 3\n")
    git(top, "commit", "-qam", "main")
    with pytest.raises(subprocess.CalledProcessError):
        git(top, "merge", "-q", "side")
    state = state_of(top)
    assert state.operation == "a merge"
    assert state.files == (ChangedFile(path="a.py", kind="conflict"),)
    git(top, "merge", "--abort")
    with pytest.raises(subprocess.CalledProcessError):
        git(top, "rebase", "-q", "side")
    assert state_of(top).operation == "a rebase"


def test_variables_of_another_git_do_not_lead_astray(tmp_path: Path) -> None:
    top, other = repository(tmp_path / "app"), repository(tmp_path / "other")
    (other / "b.py").touch()
    env = {**ENV, "GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": "/nowhere"}
    assert state_of(top, env).files == ()


def test_nothing_that_a_repository_names_is_run(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(top, "config", "core.fsmonitor", str(trap))
    git(top, "config", "core.pager", str(trap))
    git(top, "config", "core.hooksPath", str(tmp_path))
    (tmp_path / "post-index-change").symlink_to(trap)
    assert state_of(top).branch == "main"
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kind", ["clean", "process"])
def test_no_filter_of_a_repository_is_run(tmp_path: Path, kind: str) -> None:
    top = repository(tmp_path / "app")
    (top / ".gitattributes").write_text("*.txt filter=two.parts\n*.md filter=of_the_user\n")
    (top / "a.txt").write_text("one\n")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "second")
    ran = tmp_path / "ran"
    git(top, "config", f"filter.two.parts.{kind}", f"env > {ran}; cat")
    git(top, "config", "filter.two.parts.required", "true")
    (top / "a.txt").write_text("two\n")
    assert files_of(top) == {"a.txt": "changed"}
    assert not ran.exists()


def test_a_filter_that_cannot_be_switched_off_leaves_the_changes_out(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    git(top, "config", "--file", ".git/config", "filter.a=b.clean", "cat")
    with pytest.raises(OSError, match="cannot be switched off"):
        state_of(top)


@pytest.mark.parametrize("way", ["core.sshCommand", "ext", "uploadpack"])
def test_what_a_partial_clone_lacks_is_not_fetched(tmp_path: Path, way: str) -> None:
    top, origin = repository(tmp_path / "app"), repository(tmp_path / "origin")
    ran = tmp_path / "ran"
    url, key, value = {
        "core.sshCommand": ("ssh://host.invalid/app", "core.sshCommand", f"touch {ran};"),
        "ext": (f"ext::touch {ran}", "protocol.ext.allow", "always"),
        "uploadpack": (str(origin), "remote.origin.uploadpack", f"touch {ran}; git-upload-pack"),
    }[way]
    git(top, "config", "core.repositoryFormatVersion", "1")
    git(top, "config", "extensions.partialClone", "origin")
    git(top, "config", "remote.origin.promisor", "true")
    git(top, "config", "remote.origin.url", url)
    git(top, "config", key, value)
    # Every object, and so the tree that is compared with.
    for item in (top / ".git" / "objects").glob("??/*"):
        item.unlink()
    with pytest.raises(OSError, match="git ended with status 128"):
        state_of(top)
    assert not ran.exists()


def test_git_finds_no_keys_in_its_environment(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    told = tmp_path / "told"
    env = _fake_git(tmp_path / "bin", f"env >> {told}")
    state_of(top, {**env, "OPENAI_API_KEY": API_KEY, "XDG_CONFIG_HOME": "/x", "GIT_DIR": "/y"})
    found = told.read_text()
    assert API_KEY not in found
    assert "GIT_DIR" not in found
    assert "XDG_CONFIG_HOME=/x" in found


def test_git_leaves_a_core_to_the_conversation(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    told = tmp_path / "told"
    state_of(top, _fake_git(tmp_path / "bin", f'echo "$@" >> {told}'))
    commands = told.read_text().splitlines()
    assert commands
    assert all("-c core.preloadIndex=false" in command for command in commands)


@pytest.mark.parametrize("is_relative", [True, False])
def test_worktrees_point_at_each_other_in_either_way(tmp_path: Path, *, is_relative: bool) -> None:
    top = repository(tmp_path / "app")
    git(top, "worktree", "add", "-q", str(tmp_path / "side"))
    pointer = top / ".git" / "worktrees" / "side" / "gitdir"
    here = tmp_path / "side" / ".git"
    pointer.write_text(f"{os.path.relpath(here, pointer.parent) if is_relative else here}\n")
    assert project_of(tmp_path / "side").root == str(top)


def test_where_a_link_lies_does_not_matter(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    (top / "src").mkdir()
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to(top / "src")
    assert project_of(link).root == str(top)


def test_without_git_the_branch_is_still_known(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    (tmp_path / "empty").mkdir()
    state = state_of(top, {"PATH": str(tmp_path / "empty")})
    assert state == RepositoryState(branch="main", files=None)


def _fake_git(folder: Path, script: str) -> dict[str, str]:
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_a_git_that_hangs_is_ended(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    env = _fake_git(tmp_path / "bin", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(GaveUp):
        state_of(top, env, within_s=0.5)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_repository_that_git_refuses_fails(tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    (top / ".git" / "HEAD").write_text("nonsense")
    with pytest.raises(OSError, match="git ended with status 128"):
        state_of(top)


def test_of_very_many_changes_the_rest_is_counted() -> None:
    changed = [f"1 .M N... 1 1 1 a b c{number:05}" for number in range(1500)]
    printed = "\0".join([*changed, "u UU N... 1 1 1 1 a b c both.py", *(f"? n{number:05}" for number in range(700))])
    state = parse_status(printed)
    assert state.files is not None
    assert [state.files[0], len(state.files)] == [ChangedFile(path="both.py", kind="conflict"), 1000]
    assert state.n_more == {"changed": 501, "new": 700}
    section = repository_state_section(state, as_of=None, max_tokens=2000)
    assert section is not None
    assert "Changes: 1 in conflict, 1500 not staged, 700 not tracked" in section.text
    assert section.text.endswith("- ... 2181 more")


RECORDS = st.lists(
    st.text(max_size=20)
    | st.sampled_from(
        ["# branch.ab +x", "# branch.ab", "#", "1 ", "2 R.", "u", "? ", "# branch.oid (initial)", "1 M. N x"]
    ),
    max_size=8,
)


@given(RECORDS)
def test_whatever_is_printed_gives_a_state(records: list[str]) -> None:
    state = parse_status("\0".join(records))
    assert isinstance(state.files, tuple)
    assert state.ahead >= 0
    assert state.behind >= 0
