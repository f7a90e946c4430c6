from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from backchannel.config import config_path, state_folder

if TYPE_CHECKING:
    from pathlib import Path


def put(home: Path) -> Path:
    home.mkdir(parents=True)
    (home / "config.toml").touch()
    return home / "config.toml"


def test_our_own_home_comes_first_and_that_of_codex_last(tmp_path: Path) -> None:
    user = tmp_path / "user"
    env = {"BACKCHANNEL_HOME": str(tmp_path / "ours"), "CODEX_HOME": str(tmp_path / "theirs")}

    def found() -> Path | None:
        return config_path(env, platform="linux", user_home=user)

    assert found() is None
    theirs = put(tmp_path / "theirs")
    assert found() == theirs
    ours = put(tmp_path / "ours")
    assert found() == ours


def test_the_usual_folders_are_for_whom_no_variable_is_set(tmp_path: Path) -> None:
    codex = put(tmp_path / ".codex")
    assert config_path({}, platform="linux", user_home=tmp_path) == codex
    assert config_path({"BACKCHANNEL_HOME": "", "CODEX_HOME": ""}, platform="linux", user_home=tmp_path) == codex
    usual = put(tmp_path / ".config" / "backchannel")
    assert config_path({}, platform="linux", user_home=tmp_path) == usual

    elsewhere = {"BACKCHANNEL_HOME": str(tmp_path / "ours"), "CODEX_HOME": str(tmp_path / "theirs")}
    assert config_path(elsewhere, platform="linux", user_home=tmp_path) is None


@pytest.mark.parametrize(
    ("platform", "variable", "value", "folder"),
    [
        ("linux", "XDG_CONFIG_HOME", "", ".config/backchannel"),
        ("linux", "XDG_CONFIG_HOME", "relative", ".config/backchannel"),
        ("linux", "XDG_CONFIG_HOME", "{}/xdg", "xdg/backchannel"),
        ("freebsd14", "XDG_CONFIG_HOME", "{}/xdg", "xdg/backchannel"),
        ("darwin", "XDG_CONFIG_HOME", "{}/xdg", "Library/Application Support/backchannel"),
        ("win32", "APPDATA", "{}/roaming", "roaming/backchannel"),
        ("win32", "APPDATA", "", "AppData/Roaming/backchannel"),
    ],
)
def test_each_platform_has_a_folder_for_configuration(
    platform: str, variable: str, value: str, folder: str, tmp_path: Path
) -> None:
    path = put(tmp_path / folder)
    assert config_path({variable: value.format(tmp_path)}, platform=platform, user_home=tmp_path) == path


@pytest.mark.parametrize(
    ("platform", "env", "folder"),
    [
        ("linux", {"BACKCHANNEL_HOME": "{}/ours", "XDG_DATA_HOME": "{}/xdg"}, "ours"),
        ("linux", {"BACKCHANNEL_HOME": "", "XDG_DATA_HOME": ""}, ".local/share/backchannel"),
        ("linux", {"XDG_DATA_HOME": "relative"}, ".local/share/backchannel"),
        ("linux", {"XDG_DATA_HOME": "{}/xdg"}, "xdg/backchannel"),
        ("darwin", {"XDG_DATA_HOME": "{}/xdg"}, "Library/Application Support/backchannel"),
        ("win32", {"LOCALAPPDATA": "{}/local"}, "local/backchannel"),
        ("win32", {}, "AppData/Local/backchannel"),
        ("win32", {"BACKCHANNEL_HOME": "{}/ours"}, "ours"),
    ],
)
def test_each_platform_has_a_folder_for_what_is_kept(
    platform: str, env: dict[str, str], folder: str, tmp_path: Path
) -> None:
    named = {name: value.format(tmp_path) for name, value in env.items()}
    assert state_folder(named, platform=platform, user_home=tmp_path) == tmp_path / folder
    # Nobody has made it.
    assert list(tmp_path.iterdir()) == []
