from __future__ import annotations

import asyncio
import os
import pty
from typing import TYPE_CHECKING

import pytest

from backchannel.tui.keyboard import typed_lines

if TYPE_CHECKING:
    from collections.abc import Iterator


class Wire:
    """Two descriptors; each is closed once, since its number may soon be another's."""

    def __init__(self, reading: int, writing: int) -> None:
        self.reading = reading
        self.writing = writing
        self._open = [reading, writing]

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.writing, data) :]

    def hang_up(self) -> None:
        """Close the writing end."""
        self._open.remove(self.writing)
        os.close(self.writing)

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)


@pytest.fixture
def pipe() -> Iterator[Wire]:
    wire = Wire(*os.pipe())
    yield wire
    wire.close()


@pytest.fixture
def terminal() -> Iterator[Wire]:
    """A person types at the writing end, and a program reads at the other."""
    keys, screen = pty.openpty()
    wire = Wire(screen, keys)
    yield wire
    wire.close()


async def all_lines(reading: int) -> list[str]:
    async with asyncio.timeout(5), typed_lines(reading) as lines:
        return [line async for line in lines]


async def test_lines_come_without_their_ends(pipe: Wire) -> None:
    pipe.write("run the tests\r\n\n  /stop \nünd so — weiter".encode())
    pipe.hang_up()
    assert await all_lines(pipe.reading) == ["run the tests", "", "  /stop ", "ünd so — weiter"]


async def test_no_input_is_no_line(pipe: Wire) -> None:
    pipe.hang_up()
    assert await all_lines(pipe.reading) == []


async def test_a_character_in_two_pieces_is_one(pipe: Wire) -> None:
    async with asyncio.timeout(5), typed_lines(pipe.reading) as lines:
        pipe.write(b"one\n\xe2\x82")
        assert await anext(lines) == "one"
        pipe.write(b"\xac two\n\xff three\n")
        assert await anext(lines) == "€ two"
        assert await anext(lines) == "\ufffd three"


async def test_a_line_is_there_when_it_is_typed(terminal: Wire) -> None:
    async with asyncio.timeout(5), typed_lines(terminal.reading) as lines:
        for text in ("run the tests", "/status"):
            terminal.write(f"{text}\n".encode())
            assert await anext(lines) == text


async def test_control_d_ends_the_input(terminal: Wire) -> None:
    terminal.write(b"run the tests\n\x04")
    assert await all_lines(terminal.reading) == ["run the tests"]


async def test_a_terminal_that_goes_away_ends_the_input(terminal: Wire) -> None:
    async with asyncio.timeout(5), typed_lines(terminal.reading) as lines:
        terminal.write(b"run the tests\n")
        assert await anext(lines) == "run the tests"
        terminal.hang_up()
        assert [line async for line in lines] == []


async def test_a_terminal_that_cannot_be_read_any_more_ends_the_input() -> None:
    keys, screen = pty.openpty()
    # The other way round: reading fails there as it does for a program whose terminal was taken away.
    reversed_wire = Wire(keys, screen)
    try:
        async with asyncio.timeout(5), typed_lines(keys) as lines:
            reversed_wire.write(b"one\n")
            assert await anext(lines) == "one"
            reversed_wire.hang_up()
            assert [line async for line in lines] == []
    finally:
        reversed_wire.close()


async def test_a_descriptor_that_does_not_block_is_read_too(pipe: Wire) -> None:
    os.set_blocking(pipe.reading, False)
    async with asyncio.timeout(5), typed_lines(pipe.reading) as lines:
        pipe.write(b"one\n")
        assert await anext(lines) == "one"


async def test_reading_pauses_while_lines_are_not_taken(pipe: Wire) -> None:
    os.set_blocking(pipe.writing, False)
    text = b"x" * 4000 + b"\n"
    async with asyncio.timeout(10), typed_lines(pipe.reading) as lines:
        written = 0
        full_for = 0
        # Nothing is taken: what is read is bounded, and the pipe holds some.
        while full_for < 20:
            try:
                written += os.write(pipe.writing, text[written % len(text) :])
                full_for = 0
            except BlockingIOError:
                full_for += 1
                await asyncio.sleep(0.005)
        assert written < 64 * 4001 + 300_000
        taken = [await anext(lines) for _ in range(written // len(text))]
    assert set(taken) == {"x" * 4000}


async def test_a_flood_of_short_lines_arrives_whole(pipe: Wire) -> None:
    sent = [str(n) for n in range(5000)]

    def write() -> None:
        pipe.write("".join(f"{line}\n" for line in sent).encode())
        pipe.hang_up()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(write))
        assert await all_lines(pipe.reading) == sent


async def test_a_line_without_end_comes_in_pieces(pipe: Wire) -> None:

    def write() -> None:
        pipe.write(b"y" * 300_000)
        pipe.hang_up()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(write))
        pieces = await all_lines(pipe.reading)
    assert "".join(pieces) == "y" * 300_000
    assert max(map(len, pieces)) < 70_000
