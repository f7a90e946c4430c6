"""How a client introduces itself. Source: app-server.md 1.2."""

from __future__ import annotations

import msgspec

__all__ = ["Capabilities", "ClientInfo", "InitializeParams", "InitializeResult"]


class ClientInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who the client is."""

    name: str
    version: str
    title: str | None = None


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the client can take."""

    experimental_api: bool = False
    """Whether it may use experimental methods and fields."""
    opt_out_notification_methods: tuple[str, ...] | None = None
    """Notifications that it does not want."""
    backchannel: bool = False
    """Whether it knows our own notifications."""


class InitializeParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The first request."""

    client_info: ClientInfo
    capabilities: Capabilities | None = None


class InitializeResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who the server is."""

    user_agent: str
    codex_home: str
    """The folder of its state."""
    platform_family: str
    platform_os: str
