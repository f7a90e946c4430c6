"""The first request of every connection: who the client is, and what it understands.

Source: app-server.md 1.2; the reference's own schema.
"""

from __future__ import annotations

from msgspec import Raw

from backchannel.wire.appserver.shapes import Params, Shape

__all__ = ["ClientInfo", "InitializeCapabilities", "InitializeParams", "InitializeResponse"]


class ClientInfo(Params, frozen=True, kw_only=True):
    """Who the client is."""

    name: str
    title: str | None = None
    version: str


class InitializeCapabilities(Params, frozen=True, kw_only=True):
    """What the client understands."""

    experimental_api: bool = False
    """Whether it may use what is experimental."""
    opt_out_notification_methods: tuple[str, ...] | None = None
    """Notifications that it does not want, by their exact names."""
    backchannel: bool = False
    """Whether it wants the notifications that only this server has."""
    request_attestation: bool = False
    explicit_gateway_oauth: bool = False
    required_human_approval: bool = False
    mcp_server_openai_form_elicitation: bool = False
    extensions: dict[str, Raw] | None = None


class InitializeParams(Params, frozen=True, kw_only=True):
    """Begin. Nothing else is answered before."""

    client_info: ClientInfo
    capabilities: InitializeCapabilities | None = None


class InitializeResponse(Shape, frozen=True, kw_only=True):
    """Who the server is."""

    user_agent: str
    codex_home: str
    """Where the server keeps its state. The name is the protocol's."""
    platform_family: str
    """`unix` or `windows`."""
    platform_os: str
    """`linux`, `macos` or `windows`."""
