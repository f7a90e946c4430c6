"""Where the app server listens. Source: app-server.md 1.1."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from backchannel.errors import UsageError
from backchannel.net import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.server.tokens import Admission

__all__ = ["Address", "read_address"]

_SOCKET_NAME: Final = "app-server.sock"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen: on a host and a port, or at a path; None of them for standard input and output."""

    host: str = ""
    port: int = 0
    path: str = ""
    is_folder_ours: bool = False
    """Whether the path is in the home of our state, which is made where it is missing."""

    @property
    def is_stdio(self) -> bool:
        """Whether it is standard input and output."""
        return not self.host and not self.path


def read_address(text: str, *, admission: Admission | None, state_folder: Path) -> Address:
    """The address that somebody names: `stdio://`, `ws://IP:PORT`, `unix://PATH` or `unix://`.

    Args:
        text: What was named.
        admission: What clients have to show.
        state_folder: Where the socket is whose path is left out.

    Raises:
        UsageError: It is none of these, others than this machine could connect without a token, or nobody would ask
            for the token.
    """
    address = _parsed(text, state_folder)
    if address is None:
        raise UsageError(f"expected stdio://, ws://IP:PORT, unix://PATH or unix://, got {text!r}")
    if admission is None and address.host and not is_loopback(address.host):
        raise UsageError(
            f"expected a token for clients on other machines, got none for {address.host}; give --ws-token-file or"
            " --ws-shared-secret-file, or listen on 127.0.0.1"
        )
    if admission is not None and not address.host:
        raise UsageError(f"tokens are asked for on a websocket, ws://IP:PORT, and not on {text}; leave one of them out")
    return address


def _parsed(text: str, state_folder: Path) -> Address | None:
    if text == "stdio://":
        return Address()
    if text == "unix://":
        return Address(path=str(state_folder / _SOCKET_NAME), is_folder_ours=True)
    if text.startswith("unix://"):
        return Address(path=text.removeprefix("unix://"))
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        if parts.scheme == "ws" and parts.hostname and parts.port is not None and parts.path in ("", "/"):
            return Address(host=parts.hostname, port=parts.port)
    return None
