"""Patches applied to real files: all or nothing, and never outside."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from backchannel.agents.responses.patch import PatchError
from backchannel.agents.responses.patching import apply_patch
from tests.agents.responses.test_patch import patch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.txt").write_text("one\ntwo\n", encoding="utf-8")
    (root / "b.txt").write_text("three\n", encoding="utf-8")
    return root


def files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def refusal(root: Path, *lines: str) -> str:
    before = files(root)
    with pytest.raises(PatchError) as caught:
        apply_patch(patch(*lines), root=root)
    assert files(root) == before
    return str(caught.value)


def test_files_are_added_changed_moved_and_deleted(root: Path) -> None:
    os.chmod(root / "a.txt", 0o755)

    told = apply_patch(
        patch(
            "*** Update File: a.txt",
            "*** Move to: deep/er/c.txt",
            "-one",
            "+uno",
            "*** Delete File: b.txt",
            "*** Add File: d.txt",
            "+four",
            "*** Update File: d.txt",
            "-four",
            "+five",
        ),
        root=root,
    )

    assert told == "Done:\nM a.txt -> deep/er/c.txt\nD b.txt\nA d.txt\nM d.txt"
    assert files(root) == {"deep/er/c.txt": "uno\ntwo\n", "d.txt": "five\n"}
    assert stat.S_IMODE((root / "deep/er/c.txt").stat().st_mode) == 0o755


def test_what_is_no_utf_8_stays_as_it_is(root: Path) -> None:
    (root / "odd").write_bytes(b"\xff\xfe\nx\n")

    apply_patch(patch("*** Update File: odd", "-x", "+y"), root=root)

    assert (root / "odd").read_bytes() == b"\xff\xfe\ny\n"


def test_a_file_may_be_deleted_and_made_anew_or_moved_onto_itself(root: Path) -> None:
    apply_patch(patch("*** Delete File: a.txt", "*** Add File: a.txt", "+new"), root=root)
    apply_patch(patch("*** Update File: b.txt", "*** Move to: ./b.txt", "-three", "+3"), root=root)

    assert files(root) == {"a.txt": "new\n", "b.txt": "3\n"}


def test_a_mistake_anywhere_changes_nothing(root: Path) -> None:
    good = ("*** Update File: a.txt", "-one", "+uno")

    assert "there is no file c.txt" in refusal(root, *good, "*** Delete File: c.txt")
    assert "there is no file c.txt" in refusal(root, *good, "*** Update File: c.txt", "-x")
    assert "b.txt is there already" in refusal(root, *good, "*** Add File: b.txt", "+x")
    assert "cannot be moved to b.txt" in refusal(root, "*** Update File: a.txt", "*** Move to: b.txt")
    assert "the lines it should change are not there" in refusal(root, *good, "*** Update File: b.txt", "-x")
    (root / "folder").mkdir()
    assert "folder is a folder" in refusal(root, *good, "*** Delete File: folder")


def test_nothing_outside_is_written(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine\n", encoding="utf-8")
    (root / "link.txt").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)

    for path in ("../outside.txt", str(outside), "link.txt", "folder/outside.txt", "folder/new.txt", "..", ".", "/"):
        assert "is outside the workspace" in refusal(root, f"*** Add File: {path}", "+x"), path
    for path in ("../outside.txt", "link.txt", "folder/outside.txt"):
        refusal(root, f"*** Delete File: {path}")
    assert "is outside" in refusal(root, "*** Update File: a.txt", "*** Move to: ../c.txt")
    assert outside.read_text(encoding="utf-8") == "mine\n"
    assert sorted(os.listdir(tmp_path)) == ["outside.txt", "project"]


def test_a_link_inside_is_followed(root: Path) -> None:
    (root / "link.txt").symlink_to("a.txt")

    apply_patch(patch("*** Update File: link.txt", "-one", "+uno"), root=root)

    assert (root / "link.txt").is_symlink()
    assert (root / "a.txt").read_text(encoding="utf-8") == "uno\ntwo\n"


@pytest.mark.parametrize("path", [".git/hooks/pre-commit", "sub/.git/config", ".GIT/config", ".codex/config.toml"])
def test_what_could_make_git_run_something_is_not_written(root: Path, path: str) -> None:
    assert "belong to git or to the agent" in refusal(root, f"*** Add File: {path}", "+x")


def test_a_failure_half_way_is_taken_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def failing(source: str, target: str) -> None:
        if target.endswith("z.txt"):
            raise OSError(28, "No space left on device", target)
        replace(source, target)

    # There is no folder into which a file can be written but not moved, so the system is told to fail.
    monkeypatch.setattr(os, "replace", failing)

    said = refusal(
        root,
        "*** Update File: a.txt",
        "-one",
        "+uno",
        "*** Delete File: b.txt",
        "*** Add File: new/c.txt",
        "+x",
        "*** Add File: z.txt",
        "+x",
    )

    assert said == "nothing was changed, since z.txt could not be written: No space left on device"
    assert not (root / "new").exists()


def test_a_folder_that_cannot_be_made_is_said(root: Path) -> None:
    assert "could not be written" in refusal(root, "*** Add File: a.txt/b", "+x")


def test_what_is_too_large_is_left_alone(root: Path) -> None:
    with (root / "large").open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    with pytest.raises(PatchError, match="too large for a patch"):
        apply_patch(patch("*** Delete File: large"), root=root)
