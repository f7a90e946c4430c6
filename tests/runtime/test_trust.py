"""Every consumer of the net trusts what the environment says, in real handshakes, through a proxy, in processes of
their own whose environment holds nothing else.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import TYPE_CHECKING

import pytest

from backchannel.testing import AnswerOffer, ScriptedServer, ServerOptions
from tests.net.test_tunnel import HOST, ConnectProxy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import trustme

PROBE = """
import asyncio, os, sys
from backchannel.errors import BackchannelError
from backchannel.runtime import Join, Target, create_call, dial, join_sideband
from backchannel.wire.realtime import DIALECTS, SessionSettings

consumer, base_url = sys.argv[1:]
target = Target(base_url=base_url, env=os.environ)
dialect = DIALECTS["v3"]

async def probe():
    match consumer:
        case "websocket":
            await (await dial(target, endpoint=dialect.endpoint)).close()
        case "sideband":
            await (await join_sideband(target, dialect, "rtc_1", join=Join(n_retries=0))).close()
        case "call":
            await create_call(target, dialect, SessionSettings(instructions="", voice="cove"), "v=0")

try:
    asyncio.run(probe())
    print("done")
except BackchannelError as exc:
    print(type(exc).__name__, exc)
"""


async def run(consumer: str, base_url: str, env: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", PROBE, consumer, base_url), env=env, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


@pytest.mark.parametrize("consumer", ["websocket", "sideband", "call"])
@pytest.mark.parametrize("variable", ["BACKCHANNEL_CA_CERTIFICATE", "SSL_CERT_FILE"])
async def test_a_private_authority_through_a_proxy(
    consumer: str, variable: str, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(server_tls)
    proxy = ConnectProxy()
    script = [AnswerOffer(sdp="v=0")] if consumer == "call" else []
    options = ServerOptions(host=HOST, tls=server_tls)
    async with ScriptedServer(script, options=options) as server, proxy.running() as place:
        base_url = f"https://{HOST}:{server.port}/v1"
        through = {"HTTPS_PROXY": f"http://{place}"}
        trusted, untrusted = await asyncio.gather(
            run(consumer, base_url, {**through, variable: str(bundle)}), run(consumer, base_url, through)
        )
        assert trusted == "done"
        assert f"CONNECT {HOST}:{server.port} HTTP/1.1" in {request for request, _ in proxy.requests}
        assert len(proxy.requests) == 2
    assert untrusted.startswith("ConnectError ")
    assert "tls" in untrusted
    assert "BACKCHANNEL_CA_CERTIFICATE" in untrusted


@pytest.mark.parametrize("consumer", ["websocket", "sideband", "call"])
async def test_a_bundle_that_cannot_be_used_is_named(consumer: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    said = await run(consumer, "https://127.0.0.1:1/v1", {"CODEX_CA_CERTIFICATE": str(missing)})
    assert said.startswith(f"TrustError the CA bundle {missing} that CODEX_CA_CERTIFICATE names cannot be used")
