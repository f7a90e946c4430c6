from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.appserver import realtime as module
from tests.wire.appserver.forms import example, structs_of


@pytest.mark.parametrize("kind", structs_of(module))
@pytest.mark.parametrize("full", [True, False])
def test_every_message_keeps_its_value(kind: type[msgspec.Struct], *, full: bool) -> None:
    value = example(kind, full=full)
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


@pytest.mark.parametrize(
    ("given", "prompt"),
    [("", msgspec.UNSET), (', "prompt": null', None), (', "prompt": ""', ""), (', "prompt": "Be kind."', "Be kind.")],
)
def test_a_prompt_is_left_out_or_none_or_a_text(given: str, prompt: object) -> None:
    data = f'{{"threadId": "t", "outputModality": "audio"{given}}}'
    assert msgspec.json.decode(data, type=module.RealtimeStartParams).prompt == prompt


def test_sound_is_handed_on_as_it_came() -> None:
    data = b'{"data":"not base64!","sampleRate":16000,"numChannels":2,"samplesPerChannel":null,"itemId":null}'
    assert msgspec.json.encode(msgspec.json.decode(data, type=module.AudioChunk)) == data
