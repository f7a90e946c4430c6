from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.appserver import items as module
from tests.wire.appserver.forms import example, structs_of


@pytest.mark.parametrize("kind", structs_of(module))
@pytest.mark.parametrize("full", [True, False])
def test_every_message_keeps_its_value(kind: type[msgspec.Struct], *, full: bool) -> None:
    value = example(kind, full=full)
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"type":"text","text":"hello"}', module.TextInput),
        (b'{"type":"image","url":"http://127.0.0.1/x.png"}', module.ImageInput),
        (b'{"type":"localImage","path":"/x.png"}', module.LocalImageInput),
        (b'{"type":"audio","fileId":"f"}', module.AudioInput),
        (b'{"type":"localAudio","path":"/x.wav"}', module.LocalAudioInput),
        (b'{"type":"skill","name":"a","path":"/a"}', module.SkillInput),
        (b'{"type":"mention","name":"a","path":"/a"}', module.MentionInput),
    ],
)
def test_what_a_user_can_put_in_is_told_by_its_type(data: bytes, kind: type[msgspec.Struct]) -> None:
    read = msgspec.json.decode(data, type=module.UserInput)
    assert isinstance(read, kind)
    assert msgspec.json.decode(msgspec.json.encode(read), type=module.UserInput) == read


def test_what_is_not_known_of_an_item_is_null() -> None:
    item = module.AgentMessageItem(id="i", text="hello")
    assert msgspec.json.decode(msgspec.json.encode(item)) == {
        "type": "agentMessage",
        "id": "i",
        "text": "hello",
        "phase": None,
        "memoryCitation": None,
        "delivery": None,
        "questions": None,
        "moderation": None,
    }
