"""Where a realtime session is reached: websocket addresses from a base address.

Source: realtime.md 1.2 (v1 and v2 paths).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

from backchannel.errors import UsageError

__all__ = ["websocket_url"]

_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


def websocket_url(base_url: str, *, model: str | None = None) -> str:
    """The address of a new session; the base's own query comes first, as it stands, then `model`.

    Raises:
        UsageError: The base is no address, or its scheme is none of ws, wss, http and https.
    """
    try:
        base = urlsplit(base_url)
    except ValueError as exc:
        raise UsageError(f"failed to parse realtime address {base_url!r}: {exc}") from exc
    scheme = _SCHEMES.get(base.scheme)
    if scheme is None or not base.netloc:
        raise UsageError(
            f"expected a realtime address that starts with ws://, wss://, http:// or https://, got {base_url!r}"
        )
    query = [base.query] if base.query else []
    if model is not None:
        query.append(urlencode({"model": model}))
    return SplitResult(scheme, base.netloc, _path(base.path), "&".join(query), "").geturl()


def _path(path: str) -> str:
    if path in ("", "/"):
        return "/v1/realtime"
    if path.rstrip("/").endswith("/realtime"):
        return path.rstrip("/")
    if path.endswith("/v1"):
        return path + "/realtime"
    if path.endswith("/v1/"):
        return path + "realtime"
    return path
