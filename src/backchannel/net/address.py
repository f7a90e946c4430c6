"""The address of a server, read once and shown without its secrets."""

from __future__ import annotations

import dataclasses
import ipaddress
import urllib.parse
from typing import TYPE_CHECKING

from backchannel.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HTTP_SCHEMES", "WEBSOCKET_SCHEMES", "Address", "as_ip", "is_loopback", "read_address", "show_host"]

WEBSOCKET_SCHEMES: Mapping[str, int] = {"ws": 80, "wss": 443}
"""Scheme to default port."""
HTTP_SCHEMES: Mapping[str, int] = {"http": 80, "https": 443}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is, taken apart."""

    scheme: str
    host: str
    """Lower case, without brackets; other than ASCII in its IDNA form."""
    port: int
    path: str
    """At least `/`, as it was written."""
    query: str = dataclasses.field(repr=False)
    """As it was written, without `?`; may hold secrets, so it is never shown."""
    username: str | None = dataclasses.field(repr=False)
    password: str | None = dataclasses.field(repr=False)
    default_port: int

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken here."""
        return self.scheme in {"wss", "https"}

    @property
    def origin(self) -> str:
        """Scheme, host and port as a person writes them; the default port is left out."""
        port = "" if self.port == self.default_port else f":{self.port}"
        return f"{self.scheme}://{show_host(self.host)}{port}"

    @property
    def target(self) -> str:
        """The address for messages: no credentials, no query."""
        return self.origin + self.path

    @property
    def authority(self) -> str:
        """`host:port` with the port always there, as a proxy wants it."""
        return f"{show_host(self.host)}:{self.port}"

    @property
    def request_url(self) -> str:
        """The address to ask for: path and query byte for byte as given, no credentials, no fragment."""
        return self.target + (f"?{self.query}" if self.query else "")


def read_address(url: str, *, schemes: Mapping[str, int]) -> Address:
    """Take an address apart.

    Args:
        url: What a person configured.
        schemes: Those allowed here, each with its default port.

    Raises:
        ConnectError: Stage `address`: another scheme, no host, or a port that is none.
    """
    # Half a surrogate pair is what a terminal makes of broken input.
    text = url.encode("utf-8", "replace").decode()
    shown = _without_secrets(text)
    allowed = " or ".join(f"{scheme}://" for scheme in schemes)

    def unusable(reason: str) -> ConnectError:
        return ConnectError(
            stage="address", target=shown, reason=reason, remedy=f"give an address like {allowed}host:port/path"
        )

    if text != url:
        raise unusable("it holds bytes that are not text")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as exc:
        # Its text may quote what stands in the place of the port, which may be half of a password.
        raise unusable("it cannot be read: the host or the port is malformed") from exc
    scheme = parts.scheme.lower()
    if scheme not in schemes:
        raise unusable(f"it starts with {scheme}:, not {allowed}" if scheme else f"it does not start with {allowed}")
    if not host:
        raise unusable("it names no host")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError as exc:
            raise unusable("its host is neither a name nor a number") from exc
    if not _is_host(host):
        raise unusable("its host is neither a name nor a number")
    default_port = schemes[scheme]
    if port == 0:
        raise unusable("its port is 0")
    quoted = urllib.parse.quote
    return Address(
        scheme=scheme,
        host=host,
        port=default_port if port is None else port,
        # What is allowed in a path and a query stays byte for byte; only what could not be sent is escaped.
        path=quoted(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/",
        query=quoted(parts.query, safe="/%:@!$&'()*+,;=~-._?"),
        username=None if parts.username is None else urllib.parse.unquote(parts.username),
        password=None if parts.password is None else urllib.parse.unquote(parts.password),
        default_port=default_port,
    )


def show_host(host: str) -> str:
    """A host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def as_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The number a host is written as, or None for a name; an IPv4 number inside IPv6 counts as IPv4."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(number, ipaddress.IPv6Address) and number.ipv4_mapped is not None:
        return number.ipv4_mapped
    return number


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost` and names under it, 127.0.0.0/8, ::1."""
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    number = as_ip(name)
    return number is not None and number.is_loopback


def _is_host(host: str) -> bool:
    """Whether this can be looked up, asked of a proxy, and compared with a certificate."""
    if ":" in host:  # IPv6, perhaps with a zone behind %
        return as_ip(host.partition("%")[0]) is not None and all("!" <= character <= "~" for character in host)
    labels = host.removesuffix(".").split(".")
    # Underscores are no names of hosts, but containers and local networks use them.
    allowed = all(character.isalnum() or character in "-_." for character in host)
    return allowed and len(host) <= 253 and all(0 < len(label) <= 63 for label in labels)


def _without_secrets(url: str) -> str:
    """What may be shown of an address that perhaps cannot even be read."""
    shown = url.partition("?")[0].partition("#")[0]
    if "@" in url:
        # Where it cannot be read, nobody knows where the password ends.
        scheme, separator, _ = shown.partition("://")
        return f"{scheme}://..." if separator else "(an address with credentials)"
    return shown or "(empty)"
