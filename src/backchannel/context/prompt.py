"""The default instructions of the voice.

The text is ours, in `prompt.md`, which ships with the package. Source of the rules it carries: realtime.md 3.3.
"""

from __future__ import annotations

import getpass
import importlib.resources
from typing import Final

__all__ = ["default_prompt", "user_first_name"]

_PLACEHOLDER: Final = "{{ user_first_name }}"
_NOBODY: Final = "there"
_NAME_DISPLAY: Final = 3
"""How Windows numbers the name of an account that is shown to people."""
_MAX_NAME: Final = 256


def default_prompt(first_name: str) -> str:
    """The instructions for a user of this name."""
    template = importlib.resources.files("backchannel.context").joinpath("prompt.md").read_text(encoding="utf-8")
    return template.rstrip().replace(_PLACEHOLDER, first_name)


def user_first_name() -> str:
    """What the user is called: the first word of the account's real name, else of its login name, else `there`.

    Looking it up never fails. It reads the system's user database, so call it in a thread.
    """
    for name in (_real_name(), _login_name()):
        words = name.split()
        if words:
            return words[0]
    return _NOBODY


def _real_name() -> str:
    try:
        import os
        import pwd
    except ImportError:
        return _display_name()
    try:
        return pwd.getpwuid(os.getuid()).pw_gecos.partition(",")[0]
    except (KeyError, OSError):
        return ""


def _display_name() -> str:
    """The real name as Windows has it; in companies often `Lovelace, Ada`."""
    try:
        import ctypes

        ask = ctypes.CDLL("secur32").GetUserNameExW
        ask.restype = ctypes.c_ubyte
        name = ctypes.create_unicode_buffer(_MAX_NAME)
        size = ctypes.c_ulong(_MAX_NAME)
        found = ask(_NAME_DISPLAY, name, ctypes.byref(size))
    except (ImportError, AttributeError, OSError, ValueError):
        return ""
    if not found:
        return ""
    last, _, first = name.value.partition(",")
    return first if first.strip() else last


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""
