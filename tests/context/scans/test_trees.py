from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.scans import GaveUp, Stop, look_into
from backchannel.net import is_secret
from backchannel.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backchannel.context.sections import Tree

PATIENT = Stop(ManualClock(), at=1.0)
NOISE = {"__pycache__", "build", "dist", "node_modules", "out", "target"}


def _is_for_secrets(entry: Path) -> bool:
    return is_secret(entry.name) or (_is_folder(entry) and is_secret(f"{entry.name}/x"))


def _model(folder: Path, depth: int = 0) -> list[tuple[int, str]]:
    """The same, said plainly."""
    entries = [entry for entry in folder.iterdir() if entry.name not in NOISE and not entry.name.startswith(".")]
    entries.sort(key=lambda entry: (not _is_folder(entry), os.fsencode(entry.name)))
    named = [entry for entry in entries if not _is_for_secrets(entry)][:20]
    listed: list[tuple[int, str]] = []
    for entry in named:
        listed.append((depth, entry.name + ("/" if _is_folder(entry) else "")))
        if _is_folder(entry) and depth == 0:
            listed += _model(entry, 1)
    if len(entries) > len(named):
        listed.append((depth, f"... {len(entries) - len(named)} more entries"))
    return listed


def _is_folder(entry: Path) -> bool:
    return entry.is_dir() and not entry.is_symlink()


def _look(folder: Path) -> Tree:
    return look_into(str(folder), PATIENT)


@pytest.mark.parametrize("where", ["stdlib", "purelib"])
def test_installed_trees_are_listed(where: str) -> None:
    folder = Path(sysconfig.get_path(where))
    found = _look(folder)
    assert list(found) == _model(folder)
    assert sum(depth == 0 for depth, _ in found) == 21


def test_folders_come_first_and_then_names_by_their_bytes(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "Z.txt", "ä.txt"):
        (tmp_path / name).touch()
    for name in ("zoo", "Alpha"):
        (tmp_path / name).mkdir()
    (tmp_path / "zoo" / "deep").mkdir()
    (tmp_path / "zoo" / "deep" / "deeper.txt").touch()
    assert _look(tmp_path) == (
        (0, "Alpha/"),
        (0, "zoo/"),
        (1, "deep/"),
        (0, "Z.txt"),
        (0, "a.txt"),
        (0, "b.txt"),
        (0, "ä.txt"),
    )


def test_hidden_entries_and_noise_are_left_out(tmp_path: Path) -> None:
    for name in (".git", ".cache", *NOISE):
        (tmp_path / name).mkdir()
    (tmp_path / ".env").touch()
    (tmp_path / "kept").touch()
    assert _look(tmp_path) == ((0, "kept"),)


def test_files_that_may_hold_secrets_are_counted_and_not_named(tmp_path: Path) -> None:
    for name in ("credentials.json", "id_rsa", "main.py"):
        (tmp_path / name).touch()
    assert _look(tmp_path) == ((0, "main.py"), (0, "... 2 more entries"))


def test_folders_of_secrets_are_neither_named_nor_looked_into(tmp_path: Path) -> None:
    for place in ("secrets/prod.txt", "secrets/deep/other.txt", "src/main.py"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert look_into(str(tmp_path), PATIENT) == ((0, "src/"), (1, "main.py"), (0, "... 1 more entries"))
    assert look_into(str(tmp_path / "secrets"), PATIENT) == ()
    assert look_into(str(tmp_path / "secrets" / "deep"), PATIENT) == ()


def test_secrets_make_room_for_others(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"a{number:02}.pem").touch()
        (tmp_path / f"b{number:02}.py").touch()
    found = _look(tmp_path)
    assert [name for _, name in found] == [*(f"b{number:02}.py" for number in range(20)), "... 80 more entries"]


def test_links_are_named_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "loop").symlink_to("..")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "linked").symlink_to("folder")
    assert _look(tmp_path) == ((0, "folder/"), (1, "loop"), (0, "broken"), (0, "linked"))


def test_odd_names_keep_their_bytes(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))).touch()
    (tmp_path / "two\nlines").touch()
    assert _look(tmp_path) == ((0, "caf\udce9"), (0, "two\nlines"))


def test_a_huge_file_is_only_named(tmp_path: Path) -> None:
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(2 * 1024**3)
    assert _look(tmp_path) == ((0, "huge.bin"),)


def test_where_there_is_nothing_to_read_there_is_no_tree(tmp_path: Path) -> None:
    assert _look(tmp_path) == ()
    assert _look(tmp_path / "missing") == ()
    (tmp_path / "file").touch()
    assert _look(tmp_path / "file") == ()


def test_an_unreadable_folder_is_named_and_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").touch()
    scandir = os.scandir

    def refusing(path: bytes) -> object:
        # Root may read everything, so the refusal of the system is played here.
        if path.endswith(b"closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert _look(tmp_path) == ((0, "closed/"), (0, "open/"), (1, "inside"))


def test_a_slow_folder_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3000):
        (tmp_path / f"{number}").touch()
    clock = ManualClock()
    scandir = os.scandir

    class Slow:
        """A folder each of whose entries takes a hundredth of a second."""

        def __init__(self, path: bytes) -> None:
            self._entries = scandir(path)
            self.n_given = 0

        def __enter__(self) -> Slow:
            return self

        def __exit__(self, *_: object) -> None:
            self._entries.close()

        def __iter__(self) -> Slow:
            return self

        def __next__(self) -> os.DirEntry[bytes]:
            clock.advance(0.01)
            entry = next(self._entries)
            self.n_given += 1
            return entry

    opened: list[Slow] = []

    def slow(path: bytes) -> Slow:
        opened.append(Slow(path))
        return opened[-1]

    monkeypatch.setattr(os, "scandir", slow)
    with pytest.raises(GaveUp):
        look_into(str(tmp_path), Stop(clock, at=10.0))
    assert [folder.n_given for folder in opened] == [1024]


def _fill(folder: Path, n_files: int) -> None:
    folder.mkdir(parents=True)
    at = os.open(folder, os.O_RDONLY)
    for number in range(n_files):
        os.mknod(f"file_{number:05}", dir_fd=at)
    os.close(at)


@pytest.fixture(scope="module")
def synthetic() -> Iterator[Path]:
    """100,000 files: deep, wide, with loops of links, odd names and a huge file."""
    # In memory, where there is such a place: on a busy disk so many files take a while.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        yield _synthetic(Path(folder))


def _synthetic(top: Path) -> Path:
    _fill(top / "wide", 20_000)
    deep = top / "deep"
    for number in range(40):
        deep = deep / f"level_{number}"
        _fill(deep, 1000)
        (deep / "back").symlink_to(top)
        _fill(top / f"part_{number:02}", 1000)
    with (top / "huge.bin").open("wb") as file:
        file.truncate(2 * 1024**3)
    (top / "odd\nname").touch()
    return top


@pytest.mark.timeout(120)
def test_a_large_tree_is_listed_like_a_small_one(synthetic: Path) -> None:
    found = _look(synthetic)
    assert list(found) == _model(synthetic)
    assert (1, "... 19980 more entries") not in found, "of 42 folders the first 20 are shown, without the wide one"
    assert list(_look(synthetic / "wide"))[-1] == (0, "... 19980 more entries")


@given(st.data())
def test_small_trees_are_listed_as_the_model_has_them(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    top = tmp_path_factory.mktemp("tree")
    names = st.text(st.sampled_from("abAB.ä_- \n"), min_size=1, max_size=6).filter(lambda name: name not in {".", ".."})
    for name in data.draw(st.lists(names | st.sampled_from(sorted(NOISE)), max_size=30)):
        place = top / name
        if place.exists():
            continue
        if data.draw(st.booleans()):
            place.touch()
        else:
            place.mkdir()
            for inner in data.draw(st.lists(names, max_size=4)):
                (place / inner).touch()
    assert list(_look(top)) == _model(top)


def test_this_runs_where_names_are_bytes() -> None:
    assert sys.getfilesystemencoding() == "utf-8"
