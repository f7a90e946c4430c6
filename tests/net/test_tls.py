from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import TrustError
from backchannel.net import (
    CA_VARIABLES,
    ConnectOptions,
    SystemRoots,
    connect,
    find_system_roots,
    make_tls_context,
)
from backchannel.testing import ScriptedServer, ServerOptions

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Mapping

    import trustme

NO_ROOTS = SystemRoots(files=())

# A consumer in a process of its own, whose environment OpenSSL sees too.
PROBE = """
import asyncio, os, sys
from backchannel.errors import BackchannelError
from backchannel.net import ConnectOptions, SystemRoots, connect, make_tls_context

async def probe(roots, urls):
    for url in urls:
        try:
            tls = make_tls_context(os.environ, roots=SystemRoots(files=(roots,)))
            socket = await connect(ConnectOptions(url=url, tls=tls))
            await socket.close()
            print("connected")
        except BackchannelError as exc:
            print(type(exc).__name__, exc)

asyncio.run(probe(sys.argv[1], sys.argv[2:]))
"""

ROOTS_PROBE = "from backchannel.net import find_system_roots; print(find_system_roots())"


async def run(code: str, *arguments: str, env: Mapping[str, str]) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code, *arguments, env=env, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().splitlines()


def serial_numbers(context: ssl.SSLContext) -> set[object]:
    return {each["serialNumber"] for each in context.get_ca_certs()}


def serial_number(authority: trustme.CA) -> set[object]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return serial_numbers(context)


def test_the_order_of_the_variables(
    authority: trustme.CA, other_authority: trustme.CA, bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    other = tmp_path / "other.pem"
    other_authority.cert_pem.write_to_path(str(other))
    for position, variable in enumerate(CA_VARIABLES):
        env = {variable: str(bundle), **{weaker: str(other) for weaker in CA_VARIABLES[position + 1 :]}}
        env |= dict.fromkeys(CA_VARIABLES[:position], "")
        assert serial_numbers(make_tls_context(env, roots=NO_ROOTS)) == serial_number(authority)
    assert serial_numbers(make_tls_context({}, roots=NO_ROOTS)) == set()
    assert CA_VARIABLES == ("BACKCHANNEL_CA_CERTIFICATE", "CODEX_CA_CERTIFICATE", "SSL_CERT_FILE")


def test_the_bundle_is_added_to_the_roots(
    authority: trustme.CA, other_authority: trustme.CA, bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    other = tmp_path / "other.pem"
    other_authority.cert_pem.write_to_path(str(other))
    context = make_tls_context({"SSL_CERT_FILE": str(bundle)}, roots=SystemRoots(files=(str(other),)))
    assert serial_numbers(context) == serial_number(authority) | serial_number(other_authority)


def test_a_bundle_of_several_with_lists_and_trusted_blocks(
    authority: trustme.CA,
    other_authority: trustme.CA,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "bundle.pem"
    trusted = other_authority.cert_pem.bytes().replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE")
    revocation = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
    path.write_bytes(revocation + authority.cert_pem.bytes() + trusted + revocation)
    with caplog.at_level(logging.INFO, "backchannel.net.tls"):
        context = make_tls_context({"CODEX_CA_CERTIFICATE": str(path)}, roots=NO_ROOTS)
    assert serial_numbers(context) == serial_number(authority) | serial_number(other_authority)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert said == [
        f"= 2 certificates of {path} (CODEX_CA_CERTIFICATE) are trusted too",
        "= 1 of them were TRUSTED CERTIFICATE blocks, read as plain ones",
        f"= 2 revocation lists in {path} were left out",
    ]


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_a_bundle_that_cannot_be_used(variable: str, authority: trustme.CA, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bundle.pem"

    def failure() -> TrustError:
        with pytest.raises(TrustError) as caught:
            make_tls_context({variable: str(path)}, roots=NO_ROOTS)
        assert caught.value.variable == variable
        assert str(path) in str(caught.value)
        assert f"let {variable} name a PEM file" in str(caught.value)
        return caught.value

    assert "cannot be read (no such file or directory)" in str(failure())
    path.mkdir()
    assert "cannot be read (is a directory)" in str(failure())
    path.rmdir()
    path.write_bytes(b"")
    assert "it is empty" in str(failure())
    path.write_bytes(authority.cert_pem.bytes()[:-30])
    assert "certificate 1: a CERTIFICATE block has no end" in str(failure())
    path.write_bytes(authority.cert_pem.bytes() + b"-----BEGIN CERTIFICATE-----\nMAMAAAA=\n-----END CERTIFICATE-----\n")
    error = failure()
    assert error.certificate_number == 2
    assert "certificate 2: it cannot be parsed" in str(error)
    with path.open("wb") as file:
        file.truncate(40 * 1024 * 1024)
    assert "larger than 32 MiB" in str(failure())


def test_a_path_that_is_none() -> None:
    with pytest.raises(TrustError, match="cannot be read"):
        make_tls_context({"SSL_CERT_FILE": "a\0b"}, roots=NO_ROOTS)


def test_roots_that_cannot_be_read_are_a_warning(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "roots.pem"
    broken.write_text("nothing")
    make_tls_context({}, roots=SystemRoots(files=(str(broken),)))
    assert f"the system's root certificates in {broken} cannot be read" in caplog.text
    make_tls_context({}, roots=SystemRoots())
    assert "no root certificates were found" in caplog.text


def test_the_system_roots_can_be_read(caplog: pytest.LogCaptureFixture) -> None:
    make_tls_context({})
    assert "cannot be read" not in caplog.text


def test_what_every_context_demands() -> None:
    context = make_tls_context({}, roots=NO_ROOTS)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_the_system_roots_do_not_depend_on_the_environment(tmp_path: pathlib.Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    found = await run(ROOTS_PROBE, env={"SSL_CERT_FILE": str(empty), "SSL_CERT_DIR": str(tmp_path)})
    assert found == [repr(await asyncio.to_thread(find_system_roots))]


@pytest.mark.parametrize("variable", CA_VARIABLES)
async def test_a_private_authority_in_a_real_handshake_beside_the_system_roots(
    variable: str,
    other_authority: trustme.CA,
    server_tls: ssl.SSLContext,
    bundle: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    roots = tmp_path / "roots.pem"
    other_authority.cert_pem.write_to_path(str(roots))
    empty = tmp_path / "empty.pem"
    empty.touch()
    public_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other_authority.issue_cert("localhost").configure_cert(public_tls)
    async with (
        ScriptedServer(options=ServerOptions(tls=server_tls, host="localhost")) as private,
        ScriptedServer(options=ServerOptions(tls=public_tls, host="localhost")) as public,
    ):
        urls = (private.url, public.url)
        # OpenSSL by itself would let an empty SSL_CERT_FILE replace all roots.
        env = {"SSL_CERT_FILE": str(empty), variable: str(bundle)}
        assert await run(PROBE, str(roots), *urls, env=env) == ["connected", "connected"]
        (refused, connected) = await run(PROBE, str(roots), *urls, env={})
    assert refused.startswith(f"ConnectError tls failed for {private.url}")
    assert "BACKCHANNEL_CA_CERTIFICATE" in refused
    assert connected == "connected"


async def test_an_intermediate_authority_is_enough(authority: trustme.CA, tmp_path: pathlib.Path) -> None:
    intermediate = authority.create_child_ca()
    path = tmp_path / "intermediate.pem"
    intermediate.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    intermediate.issue_cert("localhost").configure_cert(context)
    tls = await asyncio.to_thread(make_tls_context, {"SSL_CERT_FILE": str(path)}, roots=NO_ROOTS)
    async with ScriptedServer(options=ServerOptions(tls=context, host="localhost")) as server:
        socket = await connect(ConnectOptions(url=server.url, tls=tls))
        await socket.close()


PLATFORM_PROBE = """
import ssl, sys, types
class SSLContext(ssl.SSLContext):
    pass
sys.modules["truststore"] = {module}
from backchannel.net import SystemRoots, make_tls_context
context = make_tls_context({{"SSL_CERT_FILE": sys.argv[1]}}, roots=SystemRoots(platform=True, files=(sys.argv[2],)))
print(type(context) is SSLContext, len(context.get_ca_certs()))
"""


@pytest.mark.parametrize(
    ("module", "found"),
    [("types.SimpleNamespace(SSLContext=SSLContext)", "True 1"), ("None", "False 2")],
    ids=["installed", "not installed"],
)
async def test_the_platform_is_asked_where_it_can_be(
    module: str, found: str, bundle: pathlib.Path, other_authority: trustme.CA, tmp_path: pathlib.Path
) -> None:
    roots = tmp_path / "roots.pem"
    other_authority.cert_pem.write_to_path(str(roots))
    # The bundle is added to what the platform trusts; without the package, to the roots in files.
    assert await run(PLATFORM_PROBE.format(module=module), str(bundle), str(roots), env={}) == [found]
