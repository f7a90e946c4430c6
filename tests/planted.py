"""Secrets that tests use wherever one is needed, and the watch over everything that is logged.

Each has a stem that is found nowhere else, so whatever shows one can be caught: `LogWatch` looks at every record of the
whole run, down to the lowest level, with its exception and its arguments, and `conftest.py` fails the test in which a
secret was logged or printed. A description of a call (SDP) is payload and may be logged as little, but for a trace.
"""

from __future__ import annotations

import base64
import logging
import re
from typing import Final

__all__ = ["ANSWER_SDP", "API_KEY", "OFFER_SDP", "PASSWORD", "STEM", "TOKEN", "TRACE", "LogWatch", "planted_in"]

STEM: Final = "planted-key-"
API_KEY: Final = "sk-planted-key-5d0c1f"
"""Looks like a key, so it may also be left out for its looks."""
TOKEN: Final = "planted-key-7d1f"
"""Looks like nothing in particular."""
PASSWORD: Final = "planted-key-88a1"

_SDP_STEM: Final = "planted-sdp-"
OFFER_SDP: Final = "v=0\r\no=planted-sdp-offer 0 0 IN IP4 127.0.0.1\r\n"
ANSWER_SDP: Final = "v=0\r\no=planted-sdp-answer 0 0 IN IP4 127.0.0.1\r\n"

TRACE: Final = 5
"""Records of this level and below may hold whole messages."""


def _in_base64(stem: str) -> list[str]:
    """What the stem is inside base64 (as in `Basic`): one form for each place in a group of three."""
    return [base64.b64encode(b"\0" * shift + stem.encode())[4 if shift else 0 : -4].decode() for shift in range(3)]


_SECRETS: Final = re.compile("|".join(map(re.escape, (STEM, *_in_base64(STEM)))))
_PAYLOAD: Final = re.compile("|".join(map(re.escape, (_SDP_STEM, *_in_base64(_SDP_STEM)))))


def planted_in(text: str, *, level: int = logging.CRITICAL) -> list[str]:
    """The planted secrets in a text, each with what stands around it.

    Args:
        text: What was shown.
        level: At which it was logged; a trace may hold what other levels may not.
    """
    patterns = [_SECRETS, _PAYLOAD] if level > TRACE else [_SECRETS]
    return [
        text[max(0, match.start() - 60) : match.end() + 20] for pattern in patterns for match in pattern.finditer(text)
    ]


class LogWatch(logging.Handler):
    """Looks at every record that any logger makes, and keeps what is wrong with it until it is asked."""

    def __init__(self) -> None:
        super().__init__(level=logging.NOTSET)
        self.n_seen = 0
        """How many records it has looked at."""
        self._leaks: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record: as it is written, with its exception, and at what hangs on it beside."""
        self.n_seen += 1
        shown = self.format(record) + repr(record.args)
        self._leaks += [f"{record.name} logged {found!r}" for found in planted_in(shown, level=record.levelno)]

    def leaks(self) -> list[str]:
        """What was found since the last time."""
        leaks, self._leaks = self._leaks, []
        return leaks
