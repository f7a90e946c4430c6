"""Where realtime sessions are reached: addresses from a base address.

Order: the base's own query stays in front as it stands, then `intent`, then `model`, then further parameters.

Source: realtime.md 1.2 and 2; the paths of the live dialect are the public protocol's.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import TYPE_CHECKING, Final, assert_never
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from backchannel.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AVAS_CALL", "PUBLIC", "Endpoint", "Path", "call_url", "is_backend", "sideband_url", "websocket_url"]

_WEBSOCKET_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_HTTP_SCHEMES: Final = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_REMEDY: Final = "change it with --realtime"
_BACKEND: Final = "/backend-api"
_CALLS: Final = "/realtime/calls"
_OURS: Final = ("intent", "model")


class Path(enum.Enum):
    """Which path of a server a protocol is spoken on."""

    REALTIME = "/realtime"
    LIVE = "/live"
    LIVE_SESSIONS = "/live/sessions"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how the sessions of a dialect are reached."""

    path: Path
    intent: str | None = None
    """The `intent` of the query."""
    alpha: str | None = None
    """The value of the header `openai-alpha`, which requests carry where there is one."""
    call_query: tuple[tuple[str, str], ...] = ()
    """The query of the creation of a call, where it is on the path of realtime calls."""
    model_in_query: bool = True
    """Whether the address names the model; else the session does."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every request of this dialect carries."""
        return {} if self.alpha is None else {"openai-alpha": self.alpha}


AVAS_CALL: Final = (("intent", "quicksilver"), ("architecture", "avas"))
"""How v1, and v3 on an account's backend, ask for a call."""

PUBLIC: Final = Endpoint(path=Path.REALTIME)
"""The public Realtime API, and every server that is compatible with it."""


def websocket_url(
    base_url: str, *, endpoint: Endpoint = PUBLIC, model: str | None = None, params: Sequence[tuple[str, str]] = ()
) -> str:
    """The address of a new session.

    Args:
        base_url: Of the server, with ws, wss, http or https; the path is completed where it is not whole.
        endpoint: Of the dialect.
        model: None leaves the choice to the server, or to `params`.
        params: Further parameters of the query. `intent` never comes from here, `model` only when none is given.

    Raises:
        UsageError: The base is no address, or its scheme is another.
    """
    base = _split(base_url)
    ours = [] if endpoint.intent is None else [("intent", endpoint.intent)]
    if model is not None and endpoint.model_in_query:
        ours.append(("model", model))
    taken = ("intent",) if model is None else _OURS
    query = _query(base.query, [*ours, *((name, value) for name, value in params if name not in taken)])
    return SplitResult(
        _WEBSOCKET_SCHEMES[base.scheme], base.netloc, _path(base.path, endpoint.path), query, ""
    ).geturl()


def sideband_url(base_url: str, *, endpoint: Endpoint, call_id: str) -> str:
    """The address at which to join the session of a call. It names neither model nor further parameters.

    Raises:
        UsageError: The base is no address, or the id could not stand in one.
    """
    if not call_id.strip("."):
        raise UsageError(f"expected the id of a realtime call such as rtc_123, got {call_id!r}")
    base = _split(base_url)
    path = _path(base.path, endpoint.path)
    query = [] if endpoint.intent is None else [("intent", endpoint.intent)]
    # As one segment, whatever it contains: an id must not lead elsewhere.
    segment = quote(call_id, safe="", errors="replace")
    match endpoint.path:
        case Path.REALTIME:
            query.append(("call_id", call_id))
        case Path.LIVE:
            path = f"{path}/{segment}"
        case Path.LIVE_SESSIONS:
            path = f"{path}/{segment}/attach"
            # Otherwise the end of a session looks like the loss of its connection.
            query.append(("graceful_close", "true"))
        case _:
            assert_never(endpoint.path)
    scheme = _WEBSOCKET_SCHEMES[base.scheme]
    return SplitResult(scheme, base.netloc, path, _query(base.query, query), "").geturl()


def call_url(base_url: str, *, endpoint: Endpoint) -> str:
    """The address that creates a WebRTC call.

    Raises:
        UsageError: The base is no address, or its scheme is none of ws, wss, http and https.
    """
    base = _split(base_url)
    if endpoint.path is Path.REALTIME or (endpoint.path is Path.LIVE and is_backend(base_url)):
        own, query = _CALLS, endpoint.call_query
    else:
        own, query = endpoint.path.value, ()
    path = _prefix(base.path) + own
    return SplitResult(_HTTP_SCHEMES[base.scheme], base.netloc, path, _query(base.query, query), "").geturl()


def is_backend(base_url: str) -> bool:
    """Whether the base is that of an account's backend, which takes calls in a form of its own."""
    return _BACKEND in base_url.partition("?")[0]


def _split(base_url: str) -> SplitResult:
    try:
        base = urlsplit(base_url)
        _ = base.port
    except ValueError:
        # The reason that Python gives may quote name and password.
        raise UsageError(f"failed to parse realtime address {_shown(base_url)!r}; {_REMEDY}") from None
    if base.scheme not in _WEBSOCKET_SCHEMES or not base.netloc:
        raise UsageError(
            "expected a realtime address that starts with ws://, wss://, http:// or https://, "
            f"got {_shown(base_url)!r}; {_REMEDY}"
        )
    return base


def _shown(base_url: str) -> str:
    """The address without what may be secret in it: name and password, and the query."""
    return re.sub(r"//.*@", "//", base_url.partition("?")[0])


def _query(own: str, params: Sequence[tuple[str, str]]) -> str:
    added = urlencode(params, errors="replace")
    return "&".join(part for part in (own, added) if part)


def _path(path: str, kind: Path) -> str:
    match kind:
        case Path.REALTIME:
            return _realtime_path(path)
        case Path.LIVE:
            return _live_path(path)
        case Path.LIVE_SESSIONS:
            return _live_sessions_path(path)
        case _:
            assert_never(kind)


def _realtime_path(path: str) -> str:
    if path in ("", "/"):
        return "/v1/realtime"
    if path.rstrip("/").endswith("/realtime"):
        return path.rstrip("/")
    if path.endswith("/v1"):
        return path + "/realtime"
    if path.endswith("/v1/"):
        return path + "realtime"
    return path


def _live_path(path: str) -> str:
    if path in ("", "/", "/v1", "/v1/"):
        return "/v1/live"
    bare = path.rstrip("/")
    if bare.endswith("/realtime"):
        return bare.removesuffix("/realtime") + "/live"
    if bare.endswith("/live"):
        return bare
    return path


def _live_sessions_path(path: str) -> str:
    bare = path.rstrip("/")
    if bare.endswith(("/v1", "/live", "/realtime")) or not bare:
        return _prefix(path) + Path.LIVE_SESSIONS.value
    return bare if bare.endswith(Path.LIVE_SESSIONS.value) else path


def _prefix(path: str) -> str:
    """What stands before the protocol's own path."""
    bare = path.rstrip("/")
    for kind in (_CALLS, Path.LIVE_SESSIONS.value, Path.LIVE.value, Path.REALTIME.value):
        if bare.endswith(kind):
            return bare.removesuffix(kind)
    return bare or "/v1"
