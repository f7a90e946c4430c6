"""Server-sent events, in pieces of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents.responses.sse import MAX_BYTES, EventStream, TooLong

STREAM = (
    b': hello\n\nevent: a\ndata: {"a":1}\n\ndata:x\r\ndata: y\r\n\r\nid: 3\n\ndatabase: z\ndata\n\ndata: unfinished'
)


def read(*pieces: bytes) -> list[bytes]:
    stream = EventStream()
    return [data for piece in pieces for data in stream.feed(piece)]


def test_the_data_of_each_event() -> None:
    assert read(STREAM) == [b'{"a":1}', b"x\ny", b""]


@given(st.integers(1, 40))
def test_pieces_make_no_difference(size: int) -> None:
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert read(*pieces) == read(STREAM)


def test_an_event_without_end_is_an_error() -> None:
    stream = EventStream()
    assert list(stream.feed(b"data: " + b"x" * (MAX_BYTES - 10))) == []
    with pytest.raises(TooLong, match=str(MAX_BYTES)):
        list(stream.feed(b"x" * 20))


def test_many_events_are_none_too_long() -> None:
    stream = EventStream()
    event = b"data: " + b"x" * (MAX_BYTES // 3) + b"\n\n"
    assert [len(data) for _ in range(5) for data in stream.feed(event)] == [MAX_BYTES // 3] * 5
