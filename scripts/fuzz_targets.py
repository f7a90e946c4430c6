"""What `fuzz.py` feeds: each reader of foreign input, with good inputs to start from and what must hold of any."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.core import Options, recording
from backchannel.core.delegation import (
    BYTES_PER_TOKEN,
    MAX_ENVELOPE_TOKENS,
    parse_delegation,
    render_delegation,
)
from backchannel.errors import ConnectError, RecordingError, RemoteProtocolError, UsageError
from backchannel.net import ConnectOptions, proxy_for
from backchannel.net.pem import PemError, read_bundle
from backchannel.wire import appserver, jsonrpc, pcm
from backchannel.wire.realtime import (
    DIALECTS,
    SessionSettings,
    create_call,
    events,
    intents,
    read_answer,
    sideband_url,
    websocket_url,
)
from scripts.fuzz_inputs import MARK
from tests.core.examples import EFFECTS, EVENTS
from tests.wire.golden import SCENARIOS, load
from tests.wire.realtime.frames import FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.wire.realtime import Dialect

__all__ = ["TARGETS", "Target"]

_MAX_REASON: Final = 1_000
_VERSIONS: Final = {"quicksilver=v1": "v1", None: "v2", "quicksilver=v2": "v3"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader."""

    name: str
    seeds: tuple[bytes, ...] = dataclasses.field(repr=False)
    """Good inputs, of which the others are made."""
    feed: Callable[[bytes], bool] = dataclasses.field(repr=False)
    """Reads an input and checks what came of it; returns whether it was understood."""
    expected: tuple[type[Exception], ...] = ()
    """What it may raise."""
    share: int = 1
    """How many of the inputs it gets, in relation to the others."""


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads like the statement that it replaces
    """As `assert`, which an optimising interpreter leaves out."""
    if not holds:
        raise AssertionError(what)


def _as_text(data: bytes) -> str:
    """Text in which what is no UTF-8 stands as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


# Messages of a server


def _decoder(dialect: Dialect) -> Callable[[bytes], bool]:
    def feed(data: bytes) -> bool:
        event = dialect.decode(data)
        _check_event(event)
        text = dialect.decode(_as_text(data))
        _check_event(text)
        _require(
            type(text) is type(event) or not _is_utf8(data), f"bytes are {type(event)} and the same text {type(text)}"
        )
        return not isinstance(event, events.Skipped)

    return feed


def _check_event(event: object) -> None:
    _require(isinstance(event, events.Event | events.Skipped), f"{type(event)} is no event")
    msgspec.json.encode(event)
    if isinstance(event, events.Skipped) and event.malformed is not None:
        _require(MARK not in event.malformed, "the reason quotes the message")
        _require(len(event.malformed) < _MAX_REASON, "the reason is too long for a log")
    if isinstance(event, events.Skipped):
        _require(len(event.kind) < _MAX_REASON and event.kind.isprintable(), "the kind is not fit for a log")
    if isinstance(event, events.AudioOut):
        n_bytes = pcm.base64_decoded_bytes(event.data)
        _require(pcm.ms_for_bytes(n_bytes, rate_hz=event.rate_hz, channels=event.channels) >= 0, "a negative duration")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _frames(name: str) -> tuple[bytes, ...]:
    frames = [json.dumps(frame, separators=(",", ":")).encode() for frame, _ in FRAMES[name]]
    for scenario in SCENARIOS:
        for connection in load(scenario).connections:
            if _VERSIONS[connection.opened.alpha] == name:
                frames += [frame.encode() for frame in connection.frames]
    return tuple(dict.fromkeys(frames))


# Messages of a client of the app server


def _client_message(data: bytes) -> bool:
    message = jsonrpc.decode(data)
    _check_message(message)
    text = jsonrpc.decode(_as_text(data))
    _check_message(text)
    _require(type(text) is type(message) or not _is_utf8(data), f"bytes are {type(message)}, text is {type(text)}")
    if not isinstance(message, jsonrpc.Request):
        return isinstance(message, jsonrpc.Response | jsonrpc.ErrorResponse | jsonrpc.Notification)
    params = appserver.decode_params(message.method, message.params)
    if isinstance(params, jsonrpc.RpcError):
        _require(len(params.message) < _MAX_REASON + 1_000, "the error is too long for an answer")
        _require("$." not in params.message, "the error is in the words of the library")
        _require(b"\n" not in jsonrpc.encode_error(message.id, params), "the error is not one line")
        return False
    appserver.requires_experimental_api(message.method, params)
    line = jsonrpc.encode_request(message.id, message.method, params)
    again = jsonrpc.decode(line)
    _require(isinstance(again, jsonrpc.Request) and again.id == message.id, "the id changed on its way")
    return True


def _check_message(message: jsonrpc.Message) -> None:
    _require(isinstance(message, jsonrpc.Message), f"{type(message)} is no message")
    if isinstance(message, jsonrpc.Undecodable):
        _require(message.reason.isprintable() and MARK not in message.reason, "the reason is not fit for a log")


def _client_answer(data: bytes) -> bool:
    understood = False
    for method in appserver.SERVER_REQUESTS:
        answer = appserver.decode_answer(method, msgspec.Raw(data))
        understood |= not isinstance(answer, jsonrpc.RpcError)
    return understood


def _client_messages() -> tuple[bytes, ...]:
    thread = "0193a5c2-7b1e-7c3a-9d2f-0123456789ab"
    audio = {"data": "AAEC", "sampleRate": 24_000, "numChannels": 1, "samplesPerChannel": 480, "itemId": None}
    asked: dict[str, dict[str, object]] = {
        "initialize": {"clientInfo": {"name": "x", "version": "1"}, "capabilities": {"experimentalApi": True}},
        "account/login/start": {"type": "apiKey", "apiKey": "sk-test"},
        "thread/start": {"cwd": "/", "approvalPolicy": "never", "config": {"a": 1}, "multiAgentMode": {"custom": "x"}},
        "thread/list": {"limit": 10, "cwd": ["/"], "sortKey": "updated_at"},
        "turn/start": {"threadId": thread, "input": [{"type": "text", "text": "hi"}, {"type": "image", "url": "u"}],
                       "clientMetadata": {"k": "v"}, "sandboxPolicy": {"type": "workspaceWrite"}},
        "thread/realtime/start": {"threadId": thread, "outputModality": "audio", "prompt": None, "voice": "marin",
                                  "transport": {"type": "webrtc", "sdp": "v=0\r\n"}, "sessionId": "s"},
        "thread/realtime/appendAudio": {"threadId": thread, "audio": audio},
        "thread/realtime/playback": {"threadId": thread, "itemId": "i", "playedMs": 20},
    }  # fmt: skip
    requests = [{"id": number, "method": name, "params": params} for number, (name, params) in enumerate(asked.items())]
    others: list[dict[str, object]] = [
        {"id": "x", "method": "account/logout", "trace": {"traceparent": "00-1-2-01"}},
        {"method": "initialized"},
        {"id": 1, "result": {"decision": "accept"}},
        {"id": 1, "error": {"code": -32601, "message": "no", "data": [1]}},
    ]
    return tuple(json.dumps(each, separators=(",", ":")).encode() for each in (*requests, *others))


_CLIENT_ANSWERS: Final = (
    b'{"decision":"accept"}',
    b'{"decision":{"acceptWithExecpolicyAmendment":{"execpolicy_amendment":["make","install"]}}}',
    b'{"decision":{"applyNetworkPolicyAmendment":{"network_policy_amendment":{"host":"h","action":"deny"}}}}',
)


# What is said to it


def _say(data: bytes) -> bool:
    text = _as_text(data)
    for dialect in DIALECTS.values():
        for intent in (
            intents.AppendAudio(audio=text),
            intents.AddText(role="user", text=text),
            intents.ReportProgress(handoff_id=text[:20], text=text),
            intents.FinishHandoff(handoff_id=text[:20], output=text, is_news=True),
            intents.ReportAsItem(text=text, prefix=text[:20]),
            intents.UpdateSession(settings=SessionSettings(instructions=text, voice=text[:20])),
        ):
            for message in dialect.encode(intent):
                msgspec.json.decode(message)
        create_call("https://h/v1", dialect=dialect, sdp=text, settings=SessionSettings(instructions=text, voice="v"))
    return True


# The answer to the creation of a call: the header Location, a line end, the body


def _answer(data: bytes) -> bool:
    location, separator, body = data.partition(b"\n")
    understood = 0
    for dialect in DIALECTS.values():
        try:
            answer = read_answer(dialect, body=body, location=_as_text(location) if separator else None)
        except RemoteProtocolError as exc:
            _require(str(exc).isprintable(), "the reason is not fit for a line")
            continue
        understood += 1
        msgspec.json.encode(answer.call_id)
        if answer.call_id.strip("."):
            sideband_url("https://h", endpoint=dialect.endpoint, call_id=answer.call_id)
    return understood > 0


_ANSWERS: Final = (
    b"/v1/realtime/calls/rtc_1\nv=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n",
    b"https://api.example.com/v1/realtime/calls/calls/rtc_backend?x=/rtc_2#y\nv=0\r\n",
    b"/v1/live/0193a5c2-7b1e-7c3a-9d2f-0123456789ab\nv=0\r\n",
    b'/v1/live/sessions/sess_1\n{"session":{"id":"sess_1"},"transport":{"type":"webrtc","sdp":"v=0\\r\\n"}}',
)


# Addresses: the base, a line end, the id of a call, a line end, name and value of a parameter


def _addresses(data: bytes) -> bool:
    base, call_id, name, value, *_ = [*_as_text(data).split("\n"), "", "", "", ""]
    understood = False
    for dialect in DIALECTS.values():
        endpoint = dialect.endpoint
        for make in (
            lambda at=endpoint: websocket_url(base, endpoint=at, model=value or None, params=((name, value),)),
            lambda at=endpoint: sideband_url(base, endpoint=at, call_id=call_id),
        ):
            understood |= _reachable(make)
    return understood


def _reachable(make: Callable[[], str]) -> bool:
    try:
        url = make()
    except UsageError:
        return False
    _require(url.startswith(("ws://", "wss://")), "the scheme is not a websocket's")
    try:
        ConnectOptions(url=url.replace("wss://", "ws://", 1))
    except ConnectError as exc:
        _require(str(exc) != "", "the reason is empty")
        return False
    return True


_ADDRESSES: Final = (
    b"https://api.example.com/v1\nrtc_1\ntrace\n1",
    b"wss://me:pw@example.com:8443/api/realtime?foo=a%20b&empty=#part\n0193a5c2-7b1e-7c3a-9d2f-0123456789ab\nmodel\nm",
    b"http://[::1]:8080/backend-api/codex/\n../../admin\nintent\nx",
    b"ws://[fe80::1%25eth0]/v1/live/sessions/\n..\n\n",
    "wss://b\u00fccher.example/v1/realtime//\nrtc_\u00e9\n\u00e9\n\N{SLIGHTLY SMILING FACE}".encode(),
)


# Proxies: the variable, a line end, what is exempt, a line end, the address


def _proxies(data: bytes) -> bool:
    value, exempt, url, *_ = [*_as_text(data).split("\n"), "", ""]
    proxy = proxy_for(url, {"https_proxy": value, "http_proxy": value, "no_proxy": exempt})
    _require(proxy is None or bool(proxy.target), "the proxy has no name")
    return True


_PROXIES: Final = (
    b"http://me:pw@proxy.example:3128\n.example.org,10.0.0.0/8 [::1]:443 *.x:80\nwss://h.example/v1?k=v",
    b"socks5h://proxy:1080\n*\nhttps://10.1.2.3/",
    b"proxy:3128\nlocalhost,::1,fe80::/10\nws://[fe80::1]:99/",
    b"\n\nhttp://h",
)


# Bundles of certificates


def _bundle(data: bytes) -> bool:
    bundle = read_bundle(data)
    _require(len(bundle.certificates) > 0 and all(bundle.certificates), "a certificate is empty")
    return True


def _block(label: str, der: bytes) -> bytes:
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), base64.encodebytes(der), label.encode())


_SHORT: Final = b"\x30\x03abc"
_LONG: Final = b"\x30\x82\x01\x00" + bytes(range(256))
_BUNDLES: Final = (
    _block("CERTIFICATE", _SHORT) + _block("CERTIFICATE", _LONG),
    b"Some authority\r\n" + _block("CERTIFICATE", _LONG).replace(b"\n", b"\r\n") + _block("X509 CRL", b"list"),
    _block("TRUSTED CERTIFICATE", _LONG + b"\x30\x01x") + _block("X509 CERTIFICATE", _SHORT + b"more"),
    _block("PRIVATE KEY", b"not looked at") + _block("CERTIFICATE", _SHORT),
)


# Recordings


def _recording(data: bytes) -> bool:
    header, records = recording.read(data.splitlines())
    msgspec.json.encode(header)
    for record in records:
        line = recording.encode_recorded(record)
        _require(line.endswith(b"\n") and line.count(b"\n") == 1, "a record is not one line")
    return True


def _recorded() -> tuple[bytes, ...]:
    header = recording.encode_header(
        recording.Header(dialect="v2", started_at="2026-01-02T03:04:05.678+00:00", options=Options())
    )
    lines = [recording.encode_recorded(recording.Recorded(t=1.5, event=event)) for event in EVENTS]
    lines += [recording.encode_recorded(recording.Recorded(t=1.5, effect=effect)) for effect in EFFECTS]
    return (header + b"".join(lines), *(header + line for line in lines))


# Delegations


def _delegation(data: bytes) -> bool:
    text = _as_text(data)
    parse_delegation(text)
    for said in ("", text, text[: len(text) // 2] * 3):
        envelope = render_delegation(text, said)
        size = len(envelope.encode("utf-8", "surrogatepass"))
        _require(size <= MAX_ENVELOPE_TOKENS * BYTES_PER_TOKEN, f"an envelope of {size} bytes")
        _require(said != "" or size > 30_000 or parse_delegation(envelope) == text, "the request changed on its way")
    return text != parse_delegation(text)


_DELEGATIONS: Final = (
    render_delegation("run the tests").encode(),
    render_delegation("a < b && c > d", "user: hello\nassistant: what?").encode(),
    render_delegation("&lt;" * 9_000, "…" * 9_000).encode(),
)


# Lengths of audio


def _lengths(data: bytes) -> bool:
    text = _as_text(data)
    n_bytes = pcm.base64_decoded_bytes(text)
    _require(0 <= n_bytes <= len(text), "base64 stands for more than its length")
    rate_hz, channels, n = (int.from_bytes(data[start : start + 4], "big", signed=True) for start in (0, 4, 8))
    _require(pcm.ms_for_bytes(n_bytes, rate_hz=rate_hz, channels=channels) >= 0, "a negative duration")
    _require(pcm.ms_for_samples(abs(n), rate_hz=rate_hz) >= 0, "a negative duration")
    pcm.bytes_for_ms(n, rate_hz=rate_hz, channels=channels)
    try:
        exact = base64.b64decode(data)
    except ValueError:
        return False
    if base64.b64encode(exact) != data:  # it was read all the same, by rules of Python's own
        return False
    _require(len(exact) == n_bytes, f"{len(exact)} bytes were taken for {n_bytes}")
    return True


_LENGTHS: Final = (base64.b64encode(bytes(960)), base64.b64encode(b"abcd"), b"AA==", b"AAA=", b"", b"not base64!")


TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in (
        *(
            Target(name=name, seeds=_frames(name), feed=_decoder(dialect), share=6)
            for name, dialect in DIALECTS.items()
        ),
        Target(name="client", seeds=_client_messages(), feed=_client_message, share=6),
        Target(name="client_answer", seeds=_CLIENT_ANSWERS, feed=_client_answer),
        Target(name="said", seeds=(*_frames("v2"), *_DELEGATIONS), feed=_say),
        Target(name="answer", seeds=_ANSWERS, feed=_answer, share=3),
        Target(name="addresses", seeds=_ADDRESSES, feed=_addresses, share=2),
        Target(name="proxies", seeds=_PROXIES, feed=_proxies, share=2, expected=(UsageError, ConnectError)),
        Target(name="bundle", seeds=_BUNDLES, feed=_bundle, share=2, expected=(PemError,)),
        Target(name="recording", seeds=_recorded(), feed=_recording, share=2, expected=(RecordingError,)),
        Target(name="delegation", seeds=_DELEGATIONS, feed=_delegation),
        Target(name="lengths", seeds=_LENGTHS, feed=_lengths, share=2),
    )
}
