"""Opens the TCP connection to a server, directly or through a proxy, and says at which stage it failed.

Everything is tunnelled (`CONNECT`, also for `ws` and `http`): a websocket cannot pass a proxy that rewrites requests.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import TYPE_CHECKING, Literal, TypeAlias

import aiohappyeyeballs

from backchannel.errors import ConnectError, MissingComponentError
from backchannel.net.address import is_loopback, show_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohappyeyeballs import AddrInfoType

    from backchannel.net.address import Address
    from backchannel.net.proxy import Proxy

__all__ = ["Stage", "open_socket"]

Stage: TypeAlias = Literal["address", "proxy", "connect", "tls", "handshake"]
"""How far a connection came; the stages are passed in this order, `proxy` only where there is one."""

_FALLBACK_DELAY_S = 0.25
"""How long the first address may take before the next one is tried beside it (RFC 8305 recommends 250 ms)."""

_MAX_PROXY_ANSWER_BYTES = 64 * 1024
"""A proxy's whole answer to CONNECT. (curl allows 100 KB a header line, h11 16 KiB in all.)"""


async def open_socket(address: Address, *, proxy: Proxy | None, entered: Callable[[Stage], None]) -> socket.socket:
    """Open a connected, non-blocking socket whose other end is the server's TCP port.

    The caller owns the socket. A cancellation leaves none behind.

    Args:
        address: The server.
        proxy: Through which to go; None for directly.
        entered: Told of each stage as it begins, so that a time-out can name it.

    Raises:
        ConnectError: Stage `address`, `proxy` or `connect`.
        MissingComponentError: The proxy is a SOCKS proxy and the optional package for it is not installed.
    """
    if proxy is None:
        entered("address")
        found = await _look_up(address.host, address.port, target=address.target)
        entered("connect")
        try:
            opened = await _connect(found)
        except OSError as exc:
            raise _unreachable(address, exc) from exc
    else:
        entered("proxy")
        if proxy.scheme == "http":
            opened = await _open_through_http(address, proxy)
        else:
            opened = await _open_through_socks(address, proxy)
    # Small frames go out at once: a delay of 40 ms, which Nagle's rule may cost, can be heard.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


async def _look_up(host: str, port: int, *, target: str) -> list[AddrInfoType]:
    try:
        return await _resolve(host, port)
    except (socket.gaierror, UnicodeError) as exc:  # UnicodeError: a label that is too long or empty
        detail = exc.strerror if isinstance(exc, socket.gaierror) else "it is not a valid name"
        raise ConnectError(
            stage="address",
            target=target,
            reason=f"the name {host} cannot be resolved ({(detail or 'no answer').lower()})",
            remedy="check its spelling and this machine's network; where only a proxy reaches out, "
            "name it in HTTPS_PROXY",
        ) from exc


async def _resolve(host: str, port: int) -> list[AddrInfoType]:
    return [*await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)]


async def _connect(found: list[AddrInfoType]) -> socket.socket:
    return await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_FALLBACK_DELAY_S, interleave=1)


def _unreachable(address: Address, exc: OSError) -> ConnectError:
    if is_loopback(address.host):
        remedy = "is it running? `backchannel engine` starts the local engine"
    else:
        remedy = "check the address and the port, and that the server is running and can be reached from here"
    return ConnectError(stage="connect", target=address.target, reason=_words(exc), remedy=remedy)


def _words(exc: OSError) -> str:
    """What the system says, as a reader expects it."""
    if isinstance(exc, ConnectionRefusedError):
        return "connection refused"
    if isinstance(exc, ConnectionResetError):
        return "connection reset"
    return (exc.strerror or str(exc) or type(exc).__name__).lower()


async def _open_through_http(address: Address, proxy: Proxy) -> socket.socket:
    def failed(reason: str, remedy: str, status: int | None = None) -> ConnectError:
        named = f"the proxy {proxy.target} ({proxy.variable})"
        return ConnectError(
            stage="proxy", target=address.target, reason=f"{named} {reason}", remedy=remedy, status=status
        )

    try:
        opened = await _connect(await _resolve(proxy.host, proxy.port))
    except (OSError, UnicodeError) as exc:
        words = _words(exc) if isinstance(exc, OSError) else "its name is not valid"
        raise failed(
            f"cannot be reached: {words}",
            f"check {proxy.variable}, or add {show_host(address.host)} to NO_PROXY to go past it",
        ) from exc
    try:
        status, phrase = await _ask_for_tunnel(opened, address, proxy)
    except (OSError, ValueError) as exc:
        opened.close()
        words = _words(exc) if isinstance(exc, OSError) else str(exc)
        raise failed(f"did not open a tunnel: {words}", f"check that {proxy.variable} names an HTTP proxy") from exc
    except BaseException:
        opened.close()
        raise
    if not 200 <= status < 300:
        opened.close()
        raise failed(f"refused with {status} {phrase}".rstrip(), _proxy_remedy(status, address, proxy), status)
    return opened


async def _ask_for_tunnel(opened: socket.socket, address: Address, proxy: Proxy) -> tuple[int, str]:
    """Send CONNECT and read the answer's status.

    Raises:
        ValueError: What came is no answer to CONNECT.
        OSError: The proxy hung up.
    """
    loop = asyncio.get_running_loop()
    request = f"CONNECT {address.authority} HTTP/1.1\r\nHost: {address.authority}\r\n"
    if proxy.username is not None:
        credentials = f"{proxy.username}:{proxy.password or ''}".encode()
        request += f"Proxy-Authorization: Basic {base64.b64encode(credentials).decode('ascii')}\r\n"
    await loop.sock_sendall(opened, f"{request}\r\n".encode("ascii"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        if len(answer) > _MAX_PROXY_ANSWER_BYTES:
            raise ValueError(f"its answer is longer than {_MAX_PROXY_ANSWER_BYTES} bytes")
        received = await loop.sock_recv(opened, 4096)
        if not received:
            raise ValueError("it hung up")
        answer += received
    head, _, rest = answer.partition(b"\r\n\r\n")
    version, _, line = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    code, _, phrase = line.partition(" ")
    if not version.startswith("HTTP/1.") or not (len(code) == 3 and code.isascii() and code.isdigit()):
        raise ValueError("it did not answer as an HTTP proxy")
    status = int(code)
    if rest and 200 <= status < 300:
        # Neither TLS nor HTTP lets the server speak first: these bytes are not the server's.
        raise ValueError("it sent data before the tunnel was used")
    return status, "".join(character for character in phrase if character.isprintable())[:80]


def _proxy_remedy(status: int, address: Address, proxy: Proxy) -> str:
    if status == 407:
        return f"put a user name and a password into {proxy.variable} (http://user:password@host:port)"
    if status in {401, 403}:
        return (
            f"ask who runs it to allow {address.authority}, or add {show_host(address.host)} to NO_PROXY to go past it"
        )
    return f"check that {address.authority} is right and can be reached from the proxy"


async def _open_through_socks(address: Address, proxy: Proxy) -> socket.socket:
    try:
        # The engine of aiohttp-socks: it gives the socket itself, so that TLS stays in our hands.
        from python_socks import ProxyError, ProxyTimeoutError, ProxyType
        from python_socks.async_.asyncio import Proxy as SocksProxy
    except ImportError as exc:
        raise MissingComponentError(
            f"{proxy.variable} names a SOCKS proxy ({proxy.target}), which needs an optional package; "
            "install it with `pip install 'backchannel[socks]'`, or let the variable name an http:// proxy"
        ) from exc
    client = SocksProxy(
        proxy_type=ProxyType.SOCKS5,
        host=proxy.host,
        port=proxy.port,
        username=proxy.username,
        password=proxy.password,
        rdns=proxy.scheme == "socks5h",
    )
    try:
        # The caller's deadline is the one that counts.
        return await client.connect(address.host, address.port, timeout=3600)
    except (ProxyError, ProxyTimeoutError, OSError) as exc:
        words = _words(exc) if isinstance(exc, OSError) else str(exc).lower()
        raise ConnectError(
            stage="proxy",
            target=address.target,
            reason=f"the proxy {proxy.target} ({proxy.variable}) opened no connection: {words}",
            remedy=f"check {proxy.variable}, or add {show_host(address.host)} to NO_PROXY to go past it",
        ) from exc
