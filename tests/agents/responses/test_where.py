"""Where names in a workspace lead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from backchannel.agents.responses.where import Where

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_where_every_link_leads(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (tmp_path / "link").symlink_to("w")
    (root / "out").symlink_to("..")
    real = os.path.realpath(root)

    assert Where.of(tmp_path / "link", "") == Where.of(root, "out/w") == Where(real, real)
    assert Where.of(root, "a") == Where(real, f"{real}/a")
    assert Where.of(root, "out").folder == os.path.realpath(tmp_path)
    assert Where.of(root, "a\0b").folder == f"{root}/a\0b"


@pytest.mark.parametrize(
    ("folder", "is_inside", "shown"),
    [
        ("/w", True, "."),
        ("/w/ ", True, "' '"),
        ("/w/a/b", True, "a/b"),
        ("/w/a\n only a  test", True, "a only a test"),
        ("/wide", False, "/wide"),
        ("/", False, "/"),
    ],
)
def test_who_is_asked_is_told_of_it(folder: str, shown: str, *, is_inside: bool) -> None:
    where = Where("/w", folder)
    assert (where.is_inside, where.shown) == (is_inside, shown)


def test_only_the_workspace_is_the_workspace() -> None:
    assert Where("/w", "/w").is_root
    assert not Where("/w", "/w/ ").is_root


def test_the_workspace_may_be_the_root_of_all() -> None:
    assert Where("/", "/etc").is_inside
    assert Where("/", "/nowhere").is_plain_for_git
    assert not Where("/w", "/nowhere").is_plain_for_git
