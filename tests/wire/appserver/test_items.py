from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from backchannel.wire.appserver import items
from tests.wire.appserver.made import N_EXAMPLES, comes_back, made, shapes_of


@pytest.mark.parametrize("kind", shapes_of(items), ids=lambda kind: kind.__name__)
@settings(max_examples=N_EXAMPLES)
@given(data=st.data())
def test_what_is_written_reads_as_the_same(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    assert comes_back(data.draw(made(kind)))


@pytest.mark.parametrize("kind", [items.ImageInput, items.AudioInput])
def test_what_is_shown_or_heard_has_to_be_somewhere(kind: type[items.ImageInput | items.AudioInput]) -> None:
    with pytest.raises(ValueError, match=r"did not match any variant of untagged enum (Image|Audio)Reference"):
        kind()
    assert kind(file_id="file").url is UNSET


def test_names_that_the_protocol_does_not_spell_in_camel_case_are_kept() -> None:
    text = items.TextInput(text="hi", text_elements=(items.TextElement(byte_range=items.ByteRange(start=0, end=1)),))
    change = items.FileUpdateChange(path="a", kind=items.PatchUpdate(move_path="b"), diff="")

    assert msgspec.json.decode(msgspec.json.encode((text, change))) == [
        {
            "type": "text",
            "text": "hi",
            "text_elements": [{"byteRange": {"start": 0, "end": 1}, "placeholder": None}],
        },
        {"path": "a", "kind": {"type": "update", "move_path": "b"}, "diff": ""},
    ]
