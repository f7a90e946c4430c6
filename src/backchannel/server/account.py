"""The key that somebody logged in with, kept in the home of our state, for its owner alone to read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.errors import BackchannelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Credentials"]

_FILE: Final = "credentials.json"


class _Kept(msgspec.Struct):
    api_key: str | None = None


class Credentials:
    """Keeps the key. Its methods block for a moment.

    Args:
        folder: The home of our state; None keeps the key only as long as the process lives.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / _FILE
        self._key = self._read()

    @property
    def api_key(self) -> str | None:
        """The key; None when nobody is logged in."""
        return self._key

    def log_in(self, api_key: str) -> None:
        """Keep a key.

        Raises:
            BackchannelError: It cannot be kept.
        """
        if self._path is not None:
            self._write(self._path, api_key)
        self._key = api_key

    def log_out(self) -> None:
        """Forget the key. Idempotent.

        Raises:
            BackchannelError: It cannot be removed.
        """
        if self._path is not None:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as exc:
                raise _unusable(self._path, exc) from exc
        self._key = None

    def _read(self) -> str | None:
        if self._path is None:
            return None
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept).api_key
        except (OSError, msgspec.MsgspecError, UnicodeError):
            # Nobody is logged in; whoever logs in writes a new file.
            return None

    def _write(self, path: Path, api_key: str) -> None:
        fresh = path.with_suffix(".new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)
                file.write(msgspec.json.encode(_Kept(api_key)))
            fresh.replace(path)
        except OSError as exc:
            raise _unusable(path, exc) from exc


def _unusable(path: Path, exc: OSError) -> BackchannelError:
    reason = exc.strerror or type(exc).__name__
    return BackchannelError(
        f"the login cannot be kept in {path}: {reason}; choose another folder with BACKCHANNEL_HOME"
    )
