from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from backchannel.context.scans import GaveUp, Stop, read_guidance
from backchannel.context.sections import GuidanceFile
from backchannel.testing import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

PATIENT = Stop(ManualClock(), at=1.0)


def _read(folder: Path, top: Path | None = None) -> list[tuple[str, str]]:
    return [(file.path, file.text) for file in read_guidance(str(folder), None if top is None else str(top), PATIENT)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    top = tmp_path / "app"
    (top / "web" / "src").mkdir(parents=True)
    return top


def test_the_nearest_files_come_first(project: Path) -> None:
    (project / "AGENTS.md").write_text("top\n")
    (project / "CLAUDE.md").write_text("claude\n")
    (project / "web" / "AGENTS.md").write_text("web\n")
    (project.parent / "AGENTS.md").write_text("outside\n")
    found = _read(project / "web" / "src", project)
    assert found == [("web/AGENTS.md", "web\n"), ("AGENTS.md", "top\n"), ("CLAUDE.md", "claude\n")]


def test_without_a_project_only_the_folder_is_looked_into(project: Path) -> None:
    (project / "AGENTS.md").write_text("top\n")
    (project / "web" / "CLAUDE.md").write_text("web\n")
    assert _read(project / "web") == [("CLAUDE.md", "web\n")]
    assert _read(project / "none") == []


def test_a_file_with_two_names_is_read_once(project: Path) -> None:
    (project / "AGENTS.md").write_text("top\n")
    (project / "CLAUDE.md").symlink_to("AGENTS.md")
    (project / "web" / "AGENTS.md").symlink_to("../AGENTS.md")
    assert _read(project / "web", project) == [("web/AGENTS.md", "top\n")]


def test_links_out_of_the_project_and_to_secrets_are_not_followed(project: Path) -> None:
    (project.parent / "private.md").write_text("private\n")
    (project / ".env").write_text("TOKEN=1\n")
    (project / "AGENTS.md").symlink_to("../private.md")
    (project / "CLAUDE.md").symlink_to(".env")
    assert _read(project, project) == []


def test_what_is_no_file_neither_blocks_nor_breaks(project: Path) -> None:
    os.mkfifo(project / "AGENTS.md")
    (project / "CLAUDE.md").mkdir()
    (project / "web" / "AGENTS.md").symlink_to("AGENTS.md")
    assert _read(project / "web", project) == []


def test_only_the_beginning_of_a_long_file_is_read(project: Path) -> None:
    with (project / "AGENTS.md").open("wb") as file:
        file.write(b"begin\n")
        file.truncate(2 * 1024**3)
    ((_, text),) = _read(project)
    assert len(text) == 65_536
    assert text.startswith("begin\n")


def test_odd_bytes_are_replaced(project: Path) -> None:
    (project / "AGENTS.md").write_bytes(b"caf\xe9\n")
    (project / "CLAUDE.md").write_bytes(b"")
    assert _read(project) == [("AGENTS.md", "caf\N{REPLACEMENT CHARACTER}\n")]


def test_it_gives_up_when_it_takes_too_long(project: Path) -> None:
    with pytest.raises(GaveUp):
        read_guidance(str(project), None, Stop(ManualClock(start_s=2.0), at=1.0))


def test_what_is_read_is_a_value(project: Path) -> None:
    (project / "AGENTS.md").write_text("x")
    assert read_guidance(str(project), None, PATIENT) == (GuidanceFile(path="AGENTS.md", text="x"),)
