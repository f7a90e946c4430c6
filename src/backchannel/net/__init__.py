"""Everything that leaves the process: whom we trust, which way it goes, the clock, and what must not leave it."""

from __future__ import annotations

from backchannel.net.address import is_loopback
from backchannel.net.backoff import backoff_s
from backchannel.net.clock import Clock, SystemClock
from backchannel.net.credentials import KEY_VARIABLES, call_key, find_api_key, model_key, provider_headers, realtime_key
from backchannel.net.http import PostOptions, Response, post, stream
from backchannel.net.proxy import Proxy, proxy_for
from backchannel.net.secrets import LEFT_OUT, SECRET_GLOBS, is_secret, without_secrets
from backchannel.net.tls import CA_VARIABLES, SystemRoots, find_system_roots, make_tls_context
from backchannel.net.websocket import (
    BinaryFrame,
    Closed,
    ConnectOptions,
    Frame,
    TextFrame,
    WebSocket,
    connect,
)

__all__ = [
    "CA_VARIABLES",
    "KEY_VARIABLES",
    "LEFT_OUT",
    "SECRET_GLOBS",
    "BinaryFrame",
    "Clock",
    "Closed",
    "ConnectOptions",
    "Frame",
    "PostOptions",
    "Proxy",
    "Response",
    "SystemClock",
    "SystemRoots",
    "TextFrame",
    "WebSocket",
    "backoff_s",
    "call_key",
    "connect",
    "find_api_key",
    "find_system_roots",
    "is_loopback",
    "is_secret",
    "make_tls_context",
    "model_key",
    "post",
    "provider_headers",
    "proxy_for",
    "realtime_key",
    "stream",
    "without_secrets",
]
