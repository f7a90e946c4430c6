from __future__ import annotations

import json
from typing import Final

import pytest

from backchannel.errors import RemoteProtocolError, UsageError
from backchannel.wire.realtime import DIALECTS, TOOLS, CallAnswer, SessionSettings, create_call, read_answer

API: Final = "https://api.openai.com/v1"
BACKEND: Final = "https://chatgpt.com/backend-api/codex"
OFFER: Final = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"
V1_SETTINGS: Final = SessionSettings(instructions="Be brief.", voice="cove")
V2_SETTINGS: Final = SessionSettings(instructions="Be brief.", voice="marin", tools=(TOOLS["remain_silent"],))
AVAS: Final = "?intent=quicksilver&architecture=avas"
UUID: Final = "0193a5c2-7b1e-7c3a-9d2f-0123456789ab"


def test_an_offer_alone_is_sent_as_it_is() -> None:
    request = create_call(API, dialect=DIALECTS["v2"], sdp=OFFER, settings=None)

    assert request.method == "POST"
    assert request.url == f"{API}/realtime/calls"
    assert request.headers == {"content-type": "application/sdp"}
    assert request.body == OFFER.encode()


def test_a_server_of_the_api_is_sent_two_parts() -> None:
    request = create_call(API, dialect=DIALECTS["v1"], sdp=OFFER, settings=V1_SETTINGS)
    session = json.dumps(DIALECTS["v1"].call_session(V1_SETTINGS), separators=(",", ":"))

    assert request.url == f"{API}/realtime/calls{AVAS}"
    assert request.headers == {
        "content-type": "multipart/form-data; boundary=codex-realtime-call-boundary",
        "openai-alpha": "quicksilver=v1",
    }
    assert request.body.decode() == (
        "--codex-realtime-call-boundary\r\n"
        'Content-Disposition: form-data; name="sdp"\r\n'
        "Content-Type: application/sdp\r\n"
        "\r\n"
        f"{OFFER}\r\n"
        "--codex-realtime-call-boundary\r\n"
        'Content-Disposition: form-data; name="session"\r\n'
        "Content-Type: application/json\r\n"
        "\r\n"
        f"{session}\r\n"
        "--codex-realtime-call-boundary--\r\n"
    )
    assert json.loads(session)["model"] == "gpt-realtime-1.5"
    assert "id" not in json.loads(session)


def test_an_accounts_backend_is_sent_json() -> None:
    request = create_call(BACKEND, dialect=DIALECTS["v1"], sdp=OFFER, settings=V1_SETTINGS)

    assert request.url == f"{BACKEND}/realtime/calls{AVAS}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"sdp": OFFER, "session": DIALECTS["v1"].call_session(V1_SETTINGS)}
    assert list(json.loads(request.body)) == ["sdp", "session"]


def test_v2_is_called_without_a_query_and_with_its_tools() -> None:
    request = create_call(API, dialect=DIALECTS["v2"], sdp=OFFER, settings=V2_SETTINGS)
    session = json.loads(request.body.partition(b"application/json\r\n\r\n")[2].partition(b"\r\n")[0])

    assert request.url == f"{API}/realtime/calls"
    assert request.headers == {"content-type": "multipart/form-data; boundary=codex-realtime-call-boundary"}
    assert session["type"] == "realtime"
    assert session["model"] == "gpt-realtime-1.5"
    assert session["output_modalities"] == ["audio"]
    assert [tool["name"] for tool in session["tools"]] == ["remain_silent"]


def test_v3_is_called_at_live_without_a_query() -> None:
    request = create_call(API, dialect=DIALECTS["v3"], sdp=OFFER, settings=V1_SETTINGS)

    assert request.url == f"{API}/live"
    assert request.headers["openai-alpha"] == "quicksilver=v2"
    assert b'"model":"gpt-live-1-codex"' in request.body


def test_v3_is_called_at_realtime_calls_of_an_accounts_backend() -> None:
    request = create_call(BACKEND, dialect=DIALECTS["v3"], sdp=OFFER, settings=V1_SETTINGS)

    assert request.url == f"{BACKEND}/realtime/calls{AVAS}"
    assert json.loads(request.body)["session"]["delegation"] == {"type": "client"}


def test_the_live_dialect_names_the_transport() -> None:
    request = create_call(API, dialect=DIALECTS["live"], sdp=OFFER, settings=V2_SETTINGS)

    assert request.url == f"{API}/live/sessions"
    assert request.headers == {"content-type": "application/json"}
    assert json.loads(request.body) == {
        "session": DIALECTS["live"].call_session(V2_SETTINGS),
        "transport": {"type": "webrtc", "sdp": OFFER},
    }


def test_neither_the_offer_nor_the_answer_is_shown() -> None:
    request = create_call(API, dialect=DIALECTS["v2"], sdp=OFFER, settings=V2_SETTINGS)
    answer = CallAnswer(call_id="rtc_1", sdp=OFFER)
    elsewhere = create_call("https://me:pw@h/v1?key=k", dialect=DIALECTS["v2"], sdp=OFFER, settings=None)

    assert "pw" not in repr(elsewhere)
    assert "127.0.0.1" not in repr(request)
    assert "Be brief" not in repr(request)
    assert "127.0.0.1" not in repr(answer)


def test_a_base_that_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a realtime address"):
        create_call("ftp://h", dialect=DIALECTS["v2"], sdp=OFFER, settings=None)


@pytest.mark.parametrize("name", ["v1", "v2", "v3", "live"])
@pytest.mark.parametrize("base", [API, BACKEND])
def test_what_has_no_utf_8_can_be_sent(name: str, base: str) -> None:
    settings = SessionSettings(instructions="\ud800", voice="marin")

    request = create_call(base, dialect=DIALECTS[name], sdp="v=\ud800", settings=settings)
    assert request.body.decode().count("v=?") == 1


# The answer.


@pytest.mark.parametrize(
    ("location", "call_id"),
    [
        ("/v1/realtime/calls/rtc_golden", "rtc_golden"),
        ("/v1/realtime/calls/calls/rtc_backend_test", "rtc_backend_test"),
        ("https://api.openai.com/v1/realtime/calls/rtc_1?x=/rtc_2", "rtc_1"),
        ("/rtc_old/calls/rtc_new", "rtc_new"),
        ("/rtc_1/sideband", "rtc_1"),
        ("/rtc_1/rtc_", "rtc_1"),
        ("rtc_1", "rtc_1"),
        ("/calls/rtc_a%2Fb#c", "rtc_a%2Fb#c"),
        ("//rtc_1//?", "rtc_1"),
        (f"/v1/live/{UUID}", UUID),
        (f"/v1/live/{UUID.upper()}/", UUID.upper()),
    ],
)
def test_the_rightmost_part_that_is_an_id_names_the_call(location: str, call_id: str) -> None:
    answer = read_answer(DIALECTS["v1"], body=b"v=answer\r\n", location=location)

    assert answer == CallAnswer(call_id=call_id, sdp="v=answer\r\n")


@pytest.mark.parametrize(
    "location",
    [
        "",
        "/",
        "/v1/realtime/calls",
        "/calls/rtc_",
        "/calls/RTC_1",
        "/calls/%72tc_1",
        "/calls#rtc_1",
        "?/rtc_1",
        "/calls?id=rtc_1",
        f"/{UUID[:-1]}",
        f"/{UUID}0",
        "/xrtc_1",
    ],
)
def test_a_location_without_an_id_is_refused(location: str) -> None:
    with pytest.raises(RemoteProtocolError, match="has no call id, expected a part such as rtc_123 or a UUID"):
        read_answer(DIALECTS["v1"], body=b"v=0", location=location)


def test_an_answer_without_a_location_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="no header Location"):
        read_answer(DIALECTS["v3"], body=b"v=0", location=None)


@pytest.mark.parametrize("location", ["/rtc_\udcff", "/rtc_1\n", "/rtc_é"])
def test_a_location_that_is_no_text_is_refused(location: str) -> None:
    with pytest.raises(RemoteProtocolError, match="Location is not text"):
        read_answer(DIALECTS["v2"], body=b"v=0", location=location)


def test_an_answer_that_is_no_text_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="not UTF-8 from byte 2"):
        read_answer(DIALECTS["v2"], body=b"v=\xff", location="/rtc_1")


def test_the_live_dialect_answers_in_json() -> None:
    body = json.dumps({"session": {"id": "live_1"}, "transport": {"type": "webrtc", "sdp": "v=answer\r\n"}}).encode()

    assert read_answer(DIALECTS["live"], body=body, location=None) == CallAnswer(call_id="live_1", sdp="v=answer\r\n")


@pytest.mark.parametrize(
    "body", [b"", b"v=0", b"\xff", b"{}", b'{"session":{"id":5},"transport":{"sdp":"secret"}}', b"[" * 100_000]
)
def test_another_answer_in_the_live_dialect_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="did not create the call as expected") as caught:
        read_answer(DIALECTS["live"], body=body, location="/rtc_1")
    assert "secret" not in str(caught.value)
