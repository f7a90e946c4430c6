"""What we send and read, beside the recordings of the reference (tests/golden)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from backchannel.wire.realtime import (
    DIALECTS,
    LISTED_VOICES,
    TOOLS,
    Dialect,
    InitialItem,
    Modality,
    Mode,
    SessionSettings,
    create_call,
    events,
    intents,
    sideband_url,
    websocket_url,
)
from tests.wire.golden import PROSE, SCENARIOS, Connection, load, reduced, reduced_session

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE: Final = "http://example.com"
UNICODE: Final = 'unié中\N{SLIGHTLY SMILING FACE} "q" \\ \n\t\x07 </x>'
V3_RESULT: Final = "v3 result " + "x" * 600


def text(said: str, role: intents.Role = "user") -> intents.Intent:
    return intents.AddText(role=role, text=said)


def agent(said: str, handoff_id: str | None = None, phase: intents.Phase | None = None) -> intents.Intent:
    return intents.ReportProgress(handoff_id=handoff_id, text=said, phase=phase)


def finished(call_id: str) -> intents.Intent:
    return intents.FinishHandoff(handoff_id=call_id, output="finished")


SPEAK: Final = intents.RequestResponse()
PROGRAMME: Final[dict[str, tuple[tuple[intents.Intent, ...], ...]]] = {
    "05_modality_text": ((),),
    "06_voice_v2": ((), ()),
    "10a_transcription_v2": ((text("text in transcription mode"),),),
    "13a_append_text_v2": (
        (
            text("hello"),
            text("dev text", "developer"),
            text("assistant text", "assistant"),
            text(UNICODE),
            text(""),
            intents.SpeakText(text="say this"),
            SPEAK,
            text("while a response is active"),
        ),
    ),
    "13b_append_text_v1": (
        (
            text("hello"),
            text("dev text", "developer"),
            text("assistant text", "assistant"),
            text(UNICODE),
            text(""),
            intents.SpeakText(text="say this"),
            SPEAK,
            text("while a response is active"),
        ),
    ),
    "17a_background_agent": (
        (agent("step one", "call_1", "commentary"), agent("the result", "call_1", "final"), finished("call_1"), SPEAK),
    ),
    "17c_background_agent_tool": ((agent("shell finished", "call_shell"), finished("call_shell"), SPEAK),),
    "18_steer_second_call": ((finished("call_2"), SPEAK, agent("steered result", "call_1"), finished("call_1")),),
    "19_remain_silent": (
        (intents.AnswerCall(call_id="call_s1", output=""), intents.AnswerCall(call_id="call_s2", output="")),
    ),
    "20c_active_response_error": ((agent("result while active", "call_q"), finished("call_q"), SPEAK),),
    "21_speech_started_truncate": ((intents.Truncate(item_id="item_3", audio_end_ms=20),),),
    "24_restart_while_active": ((), (text("to the second"),)),
    "25a_typed_turn_v2": ((agent("typed progress"), SPEAK, agent("typed answer"), agent("unscripted reply 2"), SPEAK),),
    "25c_typed_then_delegation": ((agent("combined answer", "call_mid"), finished("call_mid"), SPEAK),),
    "26h_webrtc_request_v1_handoff": (
        (text("sideband text"), agent("sideband result", "h_rtc", "final"), finished("h_rtc")),
    ),
    "31_v3_session": (
        (
            text("v3 text"),
            text("v3 dev", "developer"),
            intents.SpeakText(text="v3 speech"),
            agent("v3 step", "del_1", "commentary"),
            agent(V3_RESULT, "del_1", "final"),
            finished("del_1"),
        ),
    ),
}
"""What a conversation says in each scenario after the settings of the session and beside the microphone."""

SESSIONS: Final = [name for name in SCENARIOS if load(name).connections]
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "05_modality_text": {"modality": Modality.TEXT},
    "10a_transcription_v2": {"mode": Mode.TRANSCRIPTION},
    "31_v3_session": {
        "initial_items": (
            InitialItem(role="user", text="earlier"),
            InitialItem(role="assistant", text="reply"),
        )
    },
}
VERSIONS: Final = {"quicksilver=v1": "v1", None: "v2", "quicksilver=v2": "v3"}


def dialect_of(connection: Connection) -> Dialect:
    return DIALECTS[VERSIONS[connection.opened.alpha]]


def settings_for(name: str, dialect: Dialect, recorded: dict[str, Any]) -> SessionSettings:
    given = recorded.get("instructions", {"prompt": "", "context": ""})
    parts = [part for part in (given["prompt"], given["context"]) if part]
    voice = recorded["audio"].get("output", {}).get("voice", dialect.voices[0])
    return SessionSettings(
        instructions="\n\n".join(parts),
        voice=voice,
        tools=(TOOLS["background_agent"], TOOLS["remain_silent"]),
        **SETTINGS.get(name, {}),
    )


def with_instructions(recorded: dict[str, Any], settings: SessionSettings) -> dict[str, Any]:
    return {key: settings.instructions if key == "instructions" else value for key, value in recorded.items()}


@pytest.mark.parametrize("name", SESSIONS)
def test_what_we_send_is_what_the_reference_sends(name: str) -> None:
    connections = load(name).connections
    programme = PROGRAMME.get(name, ((),) * len(connections))
    assert len(programme) == len(connections)
    for connection, said in zip(connections, programme, strict=True):
        dialect = dialect_of(connection)
        session = connection.sent[0]["session"]
        settings = settings_for(name, dialect, session)
        microphone = [message["audio"] for message in connection.sent if "input_audio" in message["type"]]
        spoken: Sequence[intents.Intent] = (
            intents.UpdateSession(settings=settings),
            *said,
            *(intents.AppendAudio(audio=audio) for audio in microphone),
            intents.CloseSession(),
        )
        sent = [reduced(json.loads(message)) for intent in spoken for message in dialect.encode(intent)]
        expected = [
            {"type": "session.update", "session": with_instructions(session, settings)},
            *connection.sent[1:],
        ]

        # In writing, so that the order of the keys counts too.
        assert list(map(json.dumps, sent)) == list(map(json.dumps, expected))


@pytest.mark.parametrize("name", SESSIONS)
def test_we_open_websockets_as_the_reference_does(name: str) -> None:
    for connection in load(name).connections:
        dialect = dialect_of(connection)
        if "call_id" in connection.opened.query:
            url = sideband_url(BASE, endpoint=dialect.endpoint, call_id="rtc_golden")
        else:
            url = websocket_url(BASE, endpoint=dialect.endpoint, model=dialect.default_model)

        assert url == f"ws://example.com{connection.opened.path}?{connection.opened.query}"
        assert dialect.endpoint.headers.get("openai-alpha") == connection.opened.alpha


def test_we_create_a_call_as_the_reference_does() -> None:
    scenario = load("26h_webrtc_request_v1_handoff")
    (call,) = scenario.calls
    offer, session = call.body
    settings = settings_for(scenario.scenario, DIALECTS["v1"], session["body"])

    request = create_call(f"{BASE}/v1", dialect=DIALECTS["v1"], sdp=offer["body"], settings=settings)

    address = urlsplit(request.url)
    assert (request.method, address.path, address.query) == (call.method, call.path, call.query)
    assert request.headers == call.headers
    parts = [part.split("\r\n\r\n", 1) for part in request.body.decode().split("--codex-realtime-call-boundary")]
    assert parts[0] == [""]
    assert parts[-1] == ["--\r\n"]
    assert [sorted(head.strip().split("\r\n")) for head, _ in parts[1:-1]] == [offer["head"], session["head"]]
    assert parts[1][1] == offer["body"] + "\r\n"
    assert reduced_session(json.loads(parts[2][1])) == with_instructions(session["body"], settings)


def test_the_voices_are_listed_as_the_reference_lists_them() -> None:
    voices = load("27_list_voices").voices

    for name in ("v1", "v2", "v3"):
        assert list(LISTED_VOICES[name]) == voices[name]
    assert DIALECTS["v1"].voices[0] == voices["defaultV1"]
    assert DIALECTS["v2"].voices[0] == voices["defaultV2"]


# What the reference tells its client of what it reads.


def notification(event: events.Event | events.Skipped) -> dict[str, Any] | None:
    """What an event is to a client (realtime.md 7.1); None when it is nothing."""
    match event:
        case events.AudioOut():
            audio = {
                "data": event.data,
                "sampleRate": event.rate_hz,
                "numChannels": event.channels,
                "samplesPerChannel": event.samples_per_channel,
                "itemId": event.item_id,
            }
            return told("outputAudio/delta", audio=audio)
        case events.InputTranscriptDelta(delta=delta):
            return told("transcript/delta", role="user", delta=delta)
        case events.OutputTranscriptDelta(delta=delta):
            return told("transcript/delta", role="assistant", delta=delta)
        case events.InputTranscriptDone(text=said):
            return told("transcript/done", role="user", text=said)
        case events.OutputTranscriptDone(text=said):
            return told("transcript/done", role="assistant", text=said)
        case events.ItemAdded(item=item):
            return told("itemAdded", item=json.loads(bytes(item)))
        case events.InputSpeechStarted(item_id=item_id):
            return told("itemAdded", item={"type": "input_audio_buffer.speech_started", "item_id": item_id})
        case events.ResponseCancelled(response_id=response_id):
            return told("itemAdded", item={"type": "response.cancelled", "response_id": response_id})
        case events.HandoffRequested():
            request = {
                "type": "handoff_request",
                "handoff_id": event.handoff_id,
                "item_id": event.item_id,
                "input_transcript": event.text,
            }
            return told("itemAdded", item=request)
        case events.ServerError():
            return told("error", message=PROSE)
        case _:
            return None


def told(method: str, **params: object) -> dict[str, Any]:
    return {"method": f"thread/realtime/{method}", "params": params}


def without_transcript(notified: dict[str, Any]) -> dict[str, Any]:
    """Without what comes from the conversation so far."""
    item = notified["params"].get("item", {})
    if item.get("type") != "handoff_request":
        return notified
    bare = {key: value for key, value in item.items() if key != "active_transcript"}
    return {**notified, "params": {"item": bare}}


@pytest.mark.parametrize("name", SESSIONS)
def test_what_we_read_is_what_the_reference_reads(name: str) -> None:
    scenario = load(name)
    read = [dialect_of(connection).decode(frame) for connection in scenario.connections for frame in connection.frames]

    assert [notified for event in read if (notified := notification(event))] == [
        without_transcript(notified) for notified in scenario.told
    ]


@pytest.mark.parametrize("name", SESSIONS)
def test_a_recorded_message_means_something_only_as_a_whole(name: str) -> None:
    for connection in load(name).connections:
        decode = dialect_of(connection).decode
        for frame in connection.frames:
            event = decode(frame)
            assert decode(f" \n{frame}\t") == event or not frame
            for end in range(0, len(frame), max(1, len(frame) // 64)):
                assert isinstance(decode(frame[:end]), events.Skipped)
            assert isinstance(decode(frame + "}"), events.Skipped)


def test_every_scenario_with_words_has_a_programme() -> None:
    wordy = {
        name
        for name in SESSIONS
        for connection in load(name).connections
        if any("input_audio" not in message["type"] for message in connection.sent[1:])
    }

    assert wordy <= set(PROGRAMME)
    assert set(PROGRAMME) <= set(SESSIONS)
