"""Which proxy a connection goes through: decided by us from the environment, and passed on explicitly.

The HTTP library's own reading of the environment does not cover websockets, and every client must follow one rule:

- `wss` counts as `https` and `ws` as `http`. The variables are `https_proxy` or `http_proxy`, then `all_proxy`; of
  each, the lower-case spelling wins over the upper-case one (as in curl and Python). An empty value counts as unset.
- This machine (`localhost` and names under it, 127.0.0.0/8, ::1) is never reached through a proxy, as in Go: the
  local engine works whatever the environment says.
- `no_proxy` lists, separated by commas or spaces, what is reached directly: `*` (everything), a domain (itself and all
  names under it, with or without a leading dot or `*.`, as in curl), an IP number, a network like `10.0.0.0/8`; names
  and numbers may end in `:port`. Networks match hosts that are written as numbers; no name is looked up for this.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import urllib.parse
from typing import TYPE_CHECKING, Literal

from backchannel.errors import UsageError
from backchannel.net.address import WEBSOCKET_SCHEMES, Address, as_ip, is_loopback, read_address, show_host

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Proxy", "proxy_for"]

_SCHEMES: Mapping[str, int] = {**WEBSOCKET_SCHEMES, "http": 80, "https": 443}

_DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "socks5": 1080, "socks5h": 1080}
_MAX_PORT_DIGITS = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """One proxy, and who chose it."""

    scheme: Literal["http", "socks5", "socks5h"]
    """`http` tunnels by CONNECT; `socks5` looks names up here, `socks5h` lets the proxy do it."""
    host: str
    port: int
    username: str | None = dataclasses.field(default=None, repr=False)
    password: str | None = dataclasses.field(default=None, repr=False)
    variable: str
    """The environment variable that named it, for messages."""

    @property
    def target(self) -> str:
        """The proxy as a person would recognise it, without credentials."""
        return f"{self.scheme}://{show_host(self.host)}:{self.port}"


def proxy_for(url: str, env: Mapping[str, str]) -> Proxy | None:
    """Decide how to reach an address.

    Args:
        url: `ws`, `wss`, `http` or `https`.
        env: The environment.

    Returns:
        The proxy to go through, or None for a direct connection.

    Raises:
        ConnectError: The address cannot be read (stage `address`).
        UsageError: The variable that applies holds no proxy that we can use; the text names it, never its value.
    """
    address = read_address(url, schemes=_SCHEMES)
    if is_loopback(address.host):
        return None
    chosen = _chosen(env, encrypted=address.encrypted)
    if chosen is None or _is_exempt(address, _value(env, "no_proxy") or ""):
        return None
    variable, value = chosen
    return _read_proxy(value, variable=variable)


def _chosen(env: Mapping[str, str], *, encrypted: bool) -> tuple[str, str] | None:
    for name in ("https_proxy" if encrypted else "http_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            # A web server hands a request's header `Proxy:` to its CGI programs as HTTP_PROXY: not to be trusted.
            if variable == "HTTP_PROXY" and env.get("REQUEST_METHOD"):
                continue
            if value := env.get(variable, "").strip():
                return variable, value
    return None


def _value(env: Mapping[str, str], name: str) -> str | None:
    return env.get(name) or env.get(name.upper()) or None


def _is_exempt(address: Address, no_proxy: str) -> bool:
    return any(_matches(address, entry.lower()) for entry in re.split(r"[\s,]+", no_proxy) if entry)


def _matches(address: Address, entry: str) -> bool:
    if entry == "*":
        return True
    number = as_ip(address.host.removesuffix("."))
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return number is not None and number.version == network.version and number in network
    host, port = _split_port(entry)
    if port is not None and port != address.port:
        return False
    if number is not None:
        return as_ip(host) == number
    domain = host.removeprefix("*").removeprefix(".").removesuffix(".")
    name = address.host.removesuffix(".")
    return bool(domain) and (name == domain or name.endswith("." + domain))


def _split_port(entry: str) -> tuple[str, int | None]:
    """`host:8080` to its two halves; a bare IPv6 number has colons but no port."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        port = rest.removeprefix(":")
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    else:
        return entry, None
    if port and not (port.isascii() and port.isdigit() and len(port) <= _MAX_PORT_DIGITS):
        return "", None  # no port, so not an entry that could match anything
    return host, int(port) if port else None


def _read_proxy(value: str, *, variable: str) -> Proxy:
    example = "give it like http://host:port or http://user:password@host:port, or unset it"
    written = value if "://" in value else f"http://{value}"
    try:
        written.encode()  # half a surrogate pair, as broken input becomes, could not be sent later on
        parts = urllib.parse.urlsplit(written)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as exc:
        raise UsageError(f"{variable} holds no proxy address that can be read; {example}") from exc
    if not host or not host.isascii() or any(character <= " " for character in host):
        raise UsageError(f"{variable} holds a proxy address without a usable host; {example}")
    scheme: Literal["http", "socks5", "socks5h"]
    match parts.scheme.lower():
        case "http":
            scheme = "http"
        case "socks5" | "socks":  # desktops write socks:// and mean version 5
            scheme = "socks5"
        case "socks5h":
            scheme = "socks5h"
        case other:
            raise UsageError(
                f"{variable} names a proxy of the kind {other}://, expected http://, socks5:// or socks5h://; {example}"
            )
    return Proxy(
        scheme=scheme,
        host=host,
        port=port or _DEFAULT_PORTS[scheme],
        username=None if parts.username is None else urllib.parse.unquote(parts.username),
        password=None if parts.password is None else urllib.parse.unquote(parts.password),
        variable=variable,
    )
