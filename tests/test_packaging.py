"""What is built and locked is complete, and names nothing that it must not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


@pytest.mark.timeout(60)
def test_the_wheel_holds_the_package_and_its_data(tmp_path: Path) -> None:
    # Built from a copy, so that nothing appears in the checkout.
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("backchannel-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "backchannel/cli.py",
        "backchannel/py.typed",
        "backchannel/context/prompt.md",
        "backchannel/agents/workspace/requests.gram",
        "backchannel/testing/__init__.py",
    } <= names
    assert not [name for name in names if not name.startswith("backchannel")]
    entry_points = zipfile.Path(wheel) / f"{wheel.name.split('-py3')[0]}.dist-info" / "entry_points.txt"
    assert "backchannel = backchannel.cli:main" in entry_points.read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_requirement_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert len(requirements) > 5
    for requirement in requirements:
        assert re.match(r"[a-z0-9._-]+(\[.*\])?==\S+", requirement), requirement.splitlines()[0]
        assert "--hash=sha256:" in requirement, requirement.splitlines()[0]
    assert "://" not in text
    assert not re.search(r"^--?\w*(index|find|trusted)", text, flags=re.MULTILINE)


def test_what_the_demo_installs_is_locked_the_same_for_the_tests() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        return set(re.findall(r"^([a-z0-9._-]+==\S+)", text, flags=re.MULTILINE))

    assert pins("demo.txt") <= pins("dev.txt")


def test_no_committed_file_names_a_package_index_or_a_home() -> None:
    forbidden = re.compile(
        "|".join(["py" + r"pi\.org", "python" + "hosted", "registry" + r"\.npm", "/roo" + "t/", "/ho" + "me/"])
    )
    for path in tracked_files():
        if path.suffix in {".wav", ".png"} or not path.is_file():
            continue
        found = forbidden.findall(path.read_text(encoding="utf-8"))
        assert not found, f"{path.relative_to(ROOT)}: {found}"
