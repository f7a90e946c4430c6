from __future__ import annotations

import json
import pathlib
import typing
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from backchannel.wire.appserver import decode_params, realtime
from tests.wire.appserver.made import N_EXAMPLES, comes_back, made, shapes_of

GOLDEN: Final = pathlib.Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("kind", shapes_of(realtime), ids=lambda kind: kind.__name__)
@settings(max_examples=N_EXAMPLES)
@given(data=st.data())
def test_what_is_written_reads_as_the_same(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    assert comes_back(data.draw(made(kind)))


def started(**params: object) -> realtime.ThreadRealtimeStartParams:
    given = {"threadId": "t", "outputModality": "audio", **params}
    found = decode_params("thread/realtime/start", msgspec.Raw(msgspec.json.encode(given)))
    assert isinstance(found, realtime.ThreadRealtimeStartParams)
    return found


@pytest.mark.parametrize(
    ("given", "prompt"),
    [({}, UNSET), ({"prompt": None}, None), ({"prompt": ""}, ""), ({"prompt": "Be brief."}, "Be brief.")],
)
def test_a_prompt_is_left_out_or_none_or_a_text(given: dict[str, object], prompt: str | UnsetType | None) -> None:
    params = started(**given)

    assert params.prompt == prompt
    assert ("prompt" in msgspec.json.decode(msgspec.json.encode(params))) is bool(given)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, None),
        ({"realtimeSessionId": "new"}, "new"),
        ({"sessionId": "old"}, "old"),
        ({"sessionId": "old", "realtimeSessionId": "new"}, "new"),
        ({"sessionId": "old", "realtimeSessionId": None}, "old"),
    ],
)
def test_the_id_of_the_session_is_taken_under_both_spellings(given: dict[str, object], taken: str | None) -> None:
    params = started(**given)

    assert (params.realtime_session_id, params.session_id) == (taken, None)


def test_typed_text_is_the_users_unless_it_says_otherwise() -> None:
    assert realtime.ThreadRealtimeAppendTextParams(thread_id="t", text="hello").role == "user"


def test_every_voice_that_is_listed_can_be_asked_for_and_none_else() -> None:
    voices = realtime.VOICES.voices
    assert isinstance(voices.v3, tuple)

    assert {*voices.v1, *voices.v2, *voices.v3} == set(typing.get_args(realtime.RealtimeVoice))
    assert (voices.default_v1, voices.default_v2) == ("cove", "marin")


def test_the_voices_are_those_of_the_recording() -> None:
    recorded = json.loads((GOLDEN / "27_list_voices.json").read_text(encoding="utf-8"))["voices"]

    assert msgspec.json.decode(msgspec.json.encode(realtime.VOICES.voices)) == recorded


@pytest.mark.parametrize(
    ("told", "written"),
    [
        (
            realtime.ThreadRealtimeStartedNotification(thread_id="t", realtime_session_id=None, version="v2"),
            {"threadId": "t", "realtimeSessionId": None, "version": "v2"},
        ),
        (
            realtime.ThreadRealtimeClosedNotification(thread_id="t", reason="requested"),
            {"threadId": "t", "reason": "requested"},
        ),
        (
            realtime.ThreadRealtimeOutputAudioDeltaNotification(
                thread_id="t",
                audio=realtime.ThreadRealtimeAudioChunk(data="not base64!", sample_rate=24_000, num_channels=1),
            ),
            {
                "threadId": "t",
                "audio": {
                    "data": "not base64!",
                    "sampleRate": 24_000,
                    "numChannels": 1,
                    "samplesPerChannel": None,
                    "itemId": None,
                },
            },
        ),
        (
            realtime.ThreadRealtimeItemStartedNotification(
                thread_id="t",
                item=realtime.BemItemPromoted(
                    id="i",
                    realtime_session_id="s",
                    turn_id="turn",
                    item_id="item",
                    presentation=realtime.InlineVisualization(index=2),
                ),
            ),
            {
                "threadId": "t",
                "item": {
                    "type": "bemItemPromoted",
                    "id": "i",
                    "realtimeSessionId": "s",
                    "turn_id": "turn",
                    "item_id": "item",
                    "presentation": {"type": "inlineVisualization", "index": 2},
                },
            },
        ),
        (
            realtime.ThreadRealtimeReconnectedNotification(thread_id="t", state_restored=True),
            {"threadId": "t", "stateRestored": True},
        ),
    ],
)
def test_a_notification_is_written_with_every_field(told: msgspec.Struct, written: dict[str, object]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(told)) == written
