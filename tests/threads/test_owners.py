from __future__ import annotations

import concurrent.futures
import os
from typing import TYPE_CHECKING

import pytest

from backchannel.threads.owners import Owner, lives, remove_dead

if TYPE_CHECKING:
    from pathlib import Path


def test_an_owner_lives_until_it_is_released(tmp_path: Path) -> None:
    folder = tmp_path / "owners"
    owner = Owner(folder)
    assert not folder.exists()
    owner_id = owner.claim()
    assert owner.claim() == owner_id == owner.owner_id
    assert lives(folder, owner_id)
    owner.release()
    owner.release()
    assert not lives(folder, owner_id)
    assert list(folder.iterdir()) == []
    assert owner.claim() != owner_id
    owner.release()


def test_those_who_ask_do_not_take_each_other_for_the_owner(tmp_path: Path) -> None:
    (tmp_path / "dead").touch()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(lambda _: lives(tmp_path, "dead"), range(400)))


def test_only_the_files_of_the_dead_are_removed(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    owner_id = owner.claim()
    (tmp_path / "dead").touch()
    (tmp_path / "folder").mkdir()
    remove_dead(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([owner_id, "folder"])
    owner.release()
    remove_dead(tmp_path / "missing")


def test_an_owner_whose_file_cannot_be_looked_at_lives(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert lives(tmp_path, "folder")


def test_a_place_that_is_taken_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=os.strerror(17)):
        Owner(tmp_path / "file").claim()
