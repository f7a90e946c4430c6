"""Speech components that are simple and always do the same, and a client to talk to the engine with."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np

from backchannel.engine import Engine, EngineOptions
from backchannel.engine.speech.base import SPEAKING_RATE_HZ, Heard
from backchannel.errors import SpeechError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from backchannel.engine.speech.base import TextToSpeech

# One event of the wire, as a test looks into it.
Event = dict[str, Any]

RATE_HZ = SPEAKING_RATE_HZ
FRAME_BYTES = RATE_HZ * 2 // 50
TOOLS = ("background_agent", "agent_status", "stop_agent")


def tone(duration_ms: int, *, level: int = 8000) -> bytes:
    """A sound that counts as voice."""
    samples = np.arange(RATE_HZ * duration_ms // 1000)
    return bytes((np.sin(samples * 0.1) * level).astype("<i2").tobytes())


def quiet(duration_ms: int) -> bytes:
    return bytes(RATE_HZ * duration_ms // 1000 * 2)


class EnergyVoiceActivity:
    """Whatever is loud is voice."""

    chunk_bytes = 1024

    def probability(self, chunk: bytes) -> float:
        return 1.0 if np.abs(np.frombuffer(chunk, dtype="<i2")).max() > 500 else 0.0

    def reset(self) -> None:
        pass


class ScriptedRecogniser:
    """Understands what it was told it would, one text an utterance; an error is raised instead."""

    def __init__(self, *texts: str | Heard | SpeechError) -> None:
        self.texts = list(texts)
        self.fed_bytes: list[int] = []
        self.open_bytes = 0
        self.n_discarded = 0
        self.started = False
        self.closed = False
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    async def start(self) -> None:
        self.started = True

    def feed(self, pcm: bytes) -> None:
        self.open_bytes += len(pcm)

    async def finish(self) -> Heard:
        self.fed_bytes.append(self.open_bytes)
        self.open_bytes = 0
        await self.may_finish.wait()
        text = self.texts.pop(0) if self.texts else ""
        match text:
            case SpeechError():
                raise text
            case Heard():
                return text
            case _:
                return Heard(text=text, confidence=1.0 if text else 0.0, from_grammar=bool(text))

    def discard(self) -> None:
        self.open_bytes = 0
        self.n_discarded += 1

    async def close(self) -> None:
        self.closed = True


@dataclasses.dataclass
class ToneSpeaker:
    """Speaks 50 ms of tone a character, in pieces of 100 ms."""

    name: str = "tone"
    pieces_before_failure: int | None = None
    voices: list[str] = dataclasses.field(default_factory=list)
    said: list[str] = dataclasses.field(default_factory=list)
    n_open: int = 0
    n_pieces: int = 0
    gate: asyncio.Semaphore | None = None
    """Each piece waits for a release of it."""

    async def speak(self, text: str, *, voice: str) -> AsyncGenerator[bytes]:
        self.voices.append(voice)
        self.said.append(text)
        self.n_open += 1
        try:
            for index in range((len(text) + 1) // 2):
                if index == self.pieces_before_failure:
                    raise SpeechError("the synthesizer died")
                if self.gate is not None:
                    await self.gate.acquire()
                await asyncio.sleep(0)
                self.n_pieces += 1
                yield tone(100)
        finally:
            self.n_open -= 1


class EndlessSpeaker:
    """Speaks so many pieces of 100 ms, whatever the text."""

    name = "endless"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.n_pieces = 0

    async def speak(self, text: str, *, voice: str) -> AsyncGenerator[bytes]:
        piece = tone(100)
        for _ in range(self.limit):
            self.n_pieces += 1
            yield piece


class Client:
    """The other side of the wire. It keeps every event it has seen."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[Event] = []

    async def send(self, kind: str, **members: object) -> None:
        await self.socket.send_str(json.dumps({"type": kind, **members}))

    async def hear(self, *pieces: bytes) -> None:
        """Let the engine hear this, in frames of 20 ms, as fast as it takes them."""
        sound = b"".join(pieces)
        for begin in range(0, len(sound), FRAME_BYTES):
            frame = base64.b64encode(sound[begin : begin + FRAME_BYTES]).decode()
            await self.send("input_audio_buffer.append", audio=frame)

    async def say(self) -> None:
        """Half a second of voice, and the silence after it."""
        await self.hear(quiet(200), tone(500), quiet(700))

    async def next(self) -> Event:
        message = await self.socket.receive(timeout=5)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise EOFError(f"{message.type.name} {message.data}")
        event: Event = json.loads(message.data)
        self.seen.append(event)
        return event

    async def until(self, kind: str, where: Callable[[Event], bool] = lambda _: True) -> Event:
        """The next event of this kind; those before it are in `seen`."""
        try:
            while True:
                event = await self.next()
                if event["type"] == kind and where(event):
                    return event
        except TimeoutError:
            raise AssertionError(f"no {kind} came; there were {self.kinds()}") from None

    async def response(self) -> list[Event]:
        """The events of the next response, from created to done."""
        created = await self.until("response.created")
        begin = len(self.seen) - 1
        await self.until("response.done", lambda event: event["response"]["id"] == created["response"]["id"])
        return self.seen[begin:]

    async def configure(self, *, tools: tuple[str, ...] = TOOLS, **session: object) -> Event:
        audio = session.pop("audio", {"input": {"transcription": {"model": "any"}}})
        offered = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in tools]
        await self.send("session.update", session={"type": "realtime", "tools": offered, "audio": audio, **session})
        return await self.until("session.updated")

    async def write(self, text: str, *, role: str = "user") -> str:
        """Put a text message into the conversation; its id."""
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": role, "content": content})
        done = await self.until("conversation.item.done")
        return str(done["item"]["id"])

    async def answer(self, call_id: str, output: str) -> None:
        """Answer a call."""
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self.send("conversation.item.create", item=item)
        await self.until("conversation.item.done")

    async def ask(self) -> list[Event]:
        """Ask for a response, and read it."""
        await self.send("response.create")
        return await self.response()

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.seen]


def kinds(events: list[Event]) -> list[str]:
    """Their types, repeated ones once."""
    names = [event["type"] for event in events]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def spoken(events: list[Event]) -> bytes:
    """The audio of a response."""
    return b"".join(
        base64.b64decode(event["delta"]) for event in events if event["type"] == "response.output_audio.delta"
    )


def words(events: list[Event]) -> str:
    """What a response said, aloud or in writing."""
    return "".join(
        event["delta"]
        for event in events
        if event["type"] in ("response.output_audio_transcript.delta", "response.output_text.delta")
    )


def calls(events: list[Event]) -> list[tuple[str, Event]]:
    """The tools that a response called, with their arguments."""
    return [
        (event["item"]["name"], json.loads(event["item"]["arguments"]))
        for event in events
        if event["type"] == "conversation.item.done" and event["item"]["type"] == "function_call"
    ]


def engine(
    recogniser: ScriptedRecogniser | Callable[[], ScriptedRecogniser],
    speaker: TextToSpeech | None = None,
    *,
    max_sessions: int = 4,
    on_notice: Callable[[str], None] | None = None,
) -> Engine:
    """An engine of these parts; without a speaker there is none."""
    return Engine(
        EngineOptions(
            speech_to_text=(lambda: recogniser) if isinstance(recogniser, ScriptedRecogniser) else recogniser,
            text_to_speech=lambda: speaker,
            voice_activity=EnergyVoiceActivity,
            max_sessions=max_sessions,
            on_notice=on_notice,
        )
    )


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A client of the engine at this address, past `session.created`."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        client = Client(socket)
        await client.until("session.created")
        yield client


async def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until it holds, for a few seconds at most."""
    try:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110  # what is waited for are facts of other tasks, of many kinds
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"it did not come to pass that {what}") from None


async def standstill(count: Callable[[], int]) -> int:
    """Wait until a count has not changed for a while; what it is then."""
    async with asyncio.timeout(15):
        while True:
            before = count()
            # A measured stretch of time is what is asked about here.
            await asyncio.sleep(0.3)
            if count() == before:
                return before
