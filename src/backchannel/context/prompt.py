"""The default instructions of the voice.

The text is ours, in `prompt.md`, which ships with the package. Source of the rules it carries: realtime.md 3.3.
"""

from __future__ import annotations

import getpass
import importlib.resources
import re
from typing import TYPE_CHECKING, Final

from backchannel.wire.realtime import TOOLS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["default_prompt", "user_first_name"]

_NAME: Final = "{{ user_first_name }}"
_LANGUAGE: Final = "{{ language }}"
_ANY_LANGUAGE: Final = "English, unless you know better"
_POINT: Final = re.compile(r"^(?=- |\n)", re.MULTILINE)
_PLACEHOLDER: Final = re.compile(f"{re.escape(_NAME)}|{re.escape(_LANGUAGE)}")
_NOBODY: Final = "there"
_NAME_DISPLAY: Final = 3
"""How Windows numbers the name of an account that is shown to people."""
_MAX_NAME: Final = 256


def default_prompt(first_name: str, *, language: str | None = None, tools: Collection[str] = tuple(TOOLS)) -> str:
    """The instructions for a user of this name.

    Args:
        first_name: What the user is called.
        language: In what to speak before the user has been heard, by its English name; None where nobody knows.
        tools: What the voice may call; what would send it to others is left out.
    """
    template = importlib.resources.files("backchannel.context").joinpath("prompt.md").read_text(encoding="utf-8")
    values = {_NAME: first_name, _LANGUAGE: language or _ANY_LANGUAGE}
    text = _without_tools(template.rstrip(), [name for name in TOOLS if name not in tools])
    return _PLACEHOLDER.sub(lambda found: values[found[0]], text)


def _without_tools(text: str, names: Collection[str]) -> str:
    """The text without the sentences that name one of these tools, and without points that have no other."""
    if not names:
        return text
    named = "|".join(map(re.escape, names))
    sentence = re.compile(rf"(?:(?<=\. )|(?<=\.\n  )|(?<=^- ))[^.]*`(?:{named})`[^.]*\.(?:\s+|$)")
    kept = []
    for point in _POINT.split(text):
        shorter = sentence.sub("", point)
        if shorter == point:
            kept.append(point)
        elif shorter.strip() != "-":
            kept.append(f"{shorter.rstrip()}\n")
    return "".join(kept)


def user_first_name() -> str:
    """What the user is called: the first word of the account's real name, else of its login name, else `there`.

    Looking it up never fails. It reads the system's user database, so call it in a thread.
    """
    for name in (_real_name(), _login_name()):
        words = name.split()
        if words and _can_be_sent(words[0]):
            return words[0]
    return _NOBODY


def _can_be_sent(name: str) -> bool:
    """Whether it is text: the user database of an old system may be in another encoding."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


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
