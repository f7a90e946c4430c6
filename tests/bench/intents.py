"""How often the offline engine and agent understand what is said to them.

Forty requests, written without looking at the grammar or the patterns, each spoken by two voices, clean and with noise
at 25 dB, through the real engine over a real websocket at the pace of real time. A request counts as understood when
what reaches the agent (or which tool is called) is of the wanted kind. Then talk that is not meant for it: two voices
over each other, and noise. Whatever is delegated of that is false.

Figures say nothing about real people: the speech is synthetic.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Final

import numpy as np

from backchannel.agents import spoken_intent
from backchannel.audio import without_trailing_silence
from backchannel.engine import Engine, EngineOptions, find_speaker
from backchannel.net import TextFrame
from backchannel.runtime import Target, dial
from backchannel.wire import pcm
from backchannel.wire.realtime import TOOLS, V2, SessionSettings, events, intents

if TYPE_CHECKING:
    import numpy.typing as npt

    from backchannel.engine.speech import TextToSpeech
    from backchannel.net import WebSocket

VOICES: Final = ("marin", "cedar")
SNR_DB: Final = 25.0
SILENT_FOR_S: Final = 3.0
"""How long after the last word an utterance counts as not acted on."""

REQUESTS: Final = (
    ("what did we change since monday", "WhatChanged"),
    ("show me the latest commits", "ListCommits WhatChanged"),
    ("what is new in the repository", "WhatChanged ListCommits"),
    ("what happened in this project this week", "WhatChanged ListCommits"),
    ("anything new since yesterday", "WhatChanged ListCommits"),
    ("which files were changed today", "WhatChanged ListCommits WorkingTree"),
    ("please run the tests", "RunTests"),
    ("run all the tests now", "RunTests"),
    ("could you run the unit tests", "RunTests"),
    ("do the tests pass", "RunTests"),
    ("run the tests in core", "RunTests"),
    ("test the docs folder", "RunTests"),
    ("run the whole test suite again", "RunTests"),
    ("start the tests", "RunTests"),
    ("search for time out", "Search"),
    ("find the word retry in the code", "Search"),
    ("where is the parser defined", "Search"),
    ("look for to do comments", "Search"),
    ("search for error handling", "Search"),
    ("show me the read me", "ShowFile"),
    ("open the license", "ShowFile"),
    ("what is in the make file", "ShowFile"),
    ("read the change log", "ShowFile"),
    ("why did it fail", "ExplainFailure"),
    ("what went wrong", "ExplainFailure"),
    ("explain the last failure", "ExplainFailure"),
    ("tell me about the failing test", "ExplainFailure"),
    ("what is this project about", "DescribeProject"),
    ("list the files", "ListFiles DescribeProject"),
    ("give me an overview of the project", "DescribeProject"),
    ("which folders are there", "ListFiles DescribeProject"),
    ("how is it going", "agent_status"),
    ("are you finished yet", "agent_status"),
    ("how far are you", "agent_status"),
    ("stop that", "stop_agent"),
    ("cancel the tests", "stop_agent"),
    ("forget it", "stop_agent"),
    ("what can you do", "Help"),
    ("help me", "Help"),
    ("only the documentation tests", "Narrow RunTests"),
)
NOT_FOR_US: Final = (
    ("so i told her we could meet at the station", "and then he went back home to get the keys"),
    ("the weather is going to be nice this weekend", "my sister is coming over for dinner on sunday"),
    ("did you see the game last night", "no i was reading a book about gardens"),
    ("they moved to a bigger house near the river", "we should paint the kitchen before summer"),
    ("i think the bus is late again", "let us take the train and walk from there"),
)


@dataclasses.dataclass(slots=True, kw_only=True)
class Score:
    """What came of one condition."""

    n: int = 0
    right: int = 0
    false: int = 0
    """Acted on as something else than was meant."""


async def main() -> dict[str, float]:
    """Measure, print each miss, and return the figures."""
    speaker = await find_speaker(dict(os.environ))
    if speaker is None:
        raise SystemExit("the benchmark needs flite or espeak-ng")
    rng = np.random.default_rng(7)
    figures: dict[str, float] = {}
    async with Engine(EngineOptions()) as engine:
        socket = await dial(Target(base_url=engine.url))
        session = SessionSettings(instructions="", voice="marin", tools=tuple(TOOLS.values()))
        await _send(socket, intents.UpdateSession(settings=session))
        for voice in VOICES:
            for condition, noisy in (("clean", False), (f"{SNR_DB:.0f} dB", True)):
                score = Score()
                for text, wanted in REQUESTS:
                    sound = await _spoken(speaker, text, voice)
                    got = await _outcome(socket, _with_noise(sound, rng) if noisy else sound)
                    score.n += 1
                    score.right += got.kind in wanted.split()
                    score.false += got.kind not in ("", *wanted.split())
                    if got.kind not in wanted.split():
                        print(f"  {voice}, {condition}: {text!r} -> {got.heard!r} ({got.kind or 'nothing'})")
                figures[f"{voice}, {condition}: understood of {score.n}"] = score.right
                figures[f"{voice}, {condition}: taken for something else"] = score.false
        false = 0
        for one, other in NOT_FOR_US:
            got = await _outcome(
                socket, _over_each_other(await _spoken(speaker, one, "marin"), await _spoken(speaker, other, "echo"))
            )
            false += got.kind != ""
            if got.kind:
                print(f"  babble {one!r} -> {got.heard!r} ({got.kind})")
        figures[f"babble: delegated of {len(NOT_FOR_US)}"] = false
        noise = (rng.normal(0, 1500, pcm.RATE_HZ * 10)).astype("<i2").tobytes()
        figures["10 s of noise: delegated"] = float((await _outcome(socket, noise)).kind != "")
        await socket.close()
    return figures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an utterance led to."""

    kind: str = ""
    """The kind of request, or the tool; empty when nothing was done."""
    heard: str = ""


async def _outcome(socket: WebSocket, sound: bytes) -> Outcome:
    """Say it at the pace of real time, and then silence, until something comes of it."""
    found: list[Outcome] = []
    heard: list[str] = []

    async def listen() -> None:
        async for frame in socket:
            if not isinstance(frame, TextFrame):
                return
            match V2().decode(frame.text):
                case events.HandoffRequested(handoff_id=call_id, text=text):
                    found.append(Outcome(kind=spoken_intent(text) or "not understood", heard=text))
                    await _send(socket, intents.FinishHandoff(handoff_id=call_id, output="done"))
                case events.ToolCalled(call_id=call_id, name=name):
                    found.append(Outcome(kind=name, heard=" ".join(heard)))
                    await _send(socket, intents.AnswerCall(call_id=call_id, output="done"))
                case events.InputTranscriptDone(text=text):
                    heard.append(text)
                case events.ResponseDone() if found:
                    return
                case _:
                    pass

    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen())
        loop = asyncio.get_running_loop()
        due = loop.time()
        silence = bytes(pcm.FRAME_BYTES)
        n_frames = len(sound) // pcm.FRAME_BYTES
        for n in range(n_frames + int(SILENT_FOR_S * 1000 / pcm.FRAME_MS)):
            frame = sound[n * pcm.FRAME_BYTES : (n + 1) * pcm.FRAME_BYTES] if n < n_frames else silence
            await _send(socket, intents.AppendAudio(audio=base64.b64encode(frame).decode()))
            due += pcm.FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))
            if n >= n_frames and listening.done():
                break
        listening.cancel()
    return found[0] if found else Outcome(heard=" ".join(heard))


async def _send(socket: WebSocket, intent: intents.Intent) -> None:
    for message in V2().encode(intent):
        await socket.send(message)


async def _spoken(speaker: TextToSpeech, text: str, voice: str) -> bytes:
    return without_trailing_silence(b"".join([piece async for piece in speaker.speak(text, voice=voice)]))


def _samples(sound: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(sound, dtype="<i2").astype(np.float64)


def _with_noise(sound: bytes, rng: np.random.Generator) -> bytes:
    samples = _samples(sound)
    level = np.sqrt(np.mean(samples**2)) / 10 ** (SNR_DB / 20)
    return bytes(np.clip(samples + rng.normal(0, level, len(samples)), -32768, 32767).astype("<i2").tobytes())


def _over_each_other(one: bytes, other: bytes) -> bytes:
    length = max(len(one), len(other))
    both = _samples(one.ljust(length, b"\0")) + _samples(other.ljust(length, b"\0"))
    return bytes(np.clip(both * 0.7, -32768, 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    for name, figure in asyncio.run(main()).items():
        print(f"{name}: {figure:g}")
    sys.exit(0)
