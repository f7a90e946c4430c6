"""Where the configuration is, and where state is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FILE_NAME", "config_path", "find_home", "own_config_path", "state_folder"]

FILE_NAME: Final = "config.toml"
_OURS: Final = "backchannel"


def find_home(env: Mapping[str, str]) -> Path | None:
    """The user's home; None where there is none. A folder that somebody happens to be in is no home."""
    try:
        home = Path(env.get("HOME") or Path.home())
    except RuntimeError:
        return None
    return home if home.is_absolute() else None


def config_path(env: Mapping[str, str], *, platform: str, user_home: Path) -> Path | None:
    """The file to read; None when there is none.

    Our own home comes first, then that of Codex, whose files are read and never written. The home is what the variable
    names, or where the variable is not set the usual folder.

    Args:
        env: The environment.
        platform: As `sys.platform` names it.
        user_home: Of the person.
    """
    theirs = env.get("CODEX_HOME")
    paths = (
        own_config_path(env, platform=platform, user_home=user_home),
        (Path(theirs) if theirs else user_home / ".codex") / FILE_NAME,
    )
    return next((path for path in paths if path.exists()), None)


def own_config_path(env: Mapping[str, str], *, platform: str, user_home: Path) -> Path:
    """Where our own file is, or would be.

    Args:
        env: The environment.
        platform: As `sys.platform` names it.
        user_home: Of the person.
    """
    ours = env.get("BACKCHANNEL_HOME")
    return (Path(ours) if ours else _usual(env, platform=platform, user_home=user_home)) / FILE_NAME


def state_folder(env: Mapping[str, str], *, platform: str, user_home: Path) -> Path:
    """The folder of what is kept from one run to the next; whoever writes there makes it, for its owner's eyes only.

    Args:
        env: The environment.
        platform: As `sys.platform` names it.
        user_home: Of the person.
    """
    if ours := env.get("BACKCHANNEL_HOME"):
        return Path(ours)
    match platform:
        case "darwin":
            return user_home / "Library" / "Application Support" / _OURS
        case "win32":
            return Path(env.get("LOCALAPPDATA") or user_home / "AppData" / "Local") / _OURS
        case _:
            return _absolute(env.get("XDG_DATA_HOME", ""), user_home / ".local" / "share") / _OURS


def _usual(env: Mapping[str, str], *, platform: str, user_home: Path) -> Path:
    match platform:
        case "darwin":
            return user_home / "Library" / "Application Support" / _OURS
        case "win32":
            return Path(env.get("APPDATA") or user_home / "AppData" / "Roaming") / _OURS
        case _:
            return _absolute(env.get("XDG_CONFIG_HOME", ""), user_home / ".config") / _OURS


def _absolute(named: str, usual: Path) -> Path:
    # The convention: what is not absolute does not count.
    return Path(named) if Path(named).is_absolute() else usual
