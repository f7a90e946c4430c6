"""What the speech components cost and how well they hear, on sentences that nothing was fitted to.

    python -m tests.bench.speech [--requests 52] [--voices marin,cedar] [--seed 1]

Speech is synthesized by flite with the voices of the protocol, clean and with white noise at 25 dB. A request counts as
understood when what was heard means the same to the workspace agent (or is the same words, where the conversation
answers it). Anything that the grammar claims of other talk, overlapped talk and noise is a false acceptance; one that
would also start work is a false request.

Figures say nothing about real people.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import soxr

from backchannel.agents import spoken_grammar, spoken_intent
from backchannel.engine.speech import HEARING_RATE_HZ, SPEAKING_RATE_HZ, Heard, TextToSpeech
from backchannel.engine.speech.hearing import PocketsphinxSpeechToText
from backchannel.engine.speech.speaking import EspeakTextToSpeech, FliteTextToSpeech, LoaderTextToSpeech
from backchannel.engine.speech.vad import SileroVoiceActivity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["Options", "main"]

SNR_DB: Final = 25.0
CHUNK_BYTES: Final = 1024

REQUESTS: Final = (
    "what has changed since monday",
    "tell me what changed today",
    "show me all recent changes",
    "what happened last week",
    "what changed in the core this month",
    "list the latest commits",
    "what was the last commit",
    "who worked on the parser",
    "run the tests",
    "run the tests please",
    "can you run the tests again",
    "run the core tests",
    "only run the parser tests",
    "start the test suite",
    "check if the tests pass",
    "is everything still working",
    "run the tests and stop at the first failure",
    "search for token",
    "find the login function",
    "where do we use the cache",
    "look for warnings in the docs",
    "which files mention the database",
    "show me the read me",
    "open the license file",
    "let me see the configuration",
    "what is in the change log",
    "why did it fail",
    "why are the tests failing",
    "what's broken",
    "explain the failure",
    "show me the last error",
    "what does this project do",
    "give me an overview of the project",
    "how many files are there",
    "show me the files",
    "what's the status of the repository",
    "is there anything new",
    "which branch is this",
    "how far are you",
    "what are you doing",
    "what's going on",
    "only in docs",
    "just the core tests",
    "only the core tests",
    "hurry up",
    "stop the tests",
    "cancel that",
    "forget it",
    "please stop",
    "what can i ask you",
    "good morning",
    "thanks a lot",
)
OTHER_REQUESTS: Final = (
    "implement the checkout page",
    "write me a function that reverses a string",
    "remove that dependency from the package",
    "squash the last five commits into one",
    "publish the package to the index",
    "add a dark mode to the website",
    "translate the error messages to german",
    "could you clean up this mess",
    "change the color of the header",
    "update the copyright year in every file",
    "start the development server on another port",
    "drop the users table and recreate it",
    "extract this into a helper function",
    "increase the timeout to thirty seconds",
    "use async functions instead of callbacks",
    "add a retry with exponential back off",
    "tell me a joke about programmers",
    "what is the weather like in boston",
    "turn off the lights in the kitchen",
    "play some music by the beatles",
    "remind me to call my mother at noon",
    "how many people live in france",
    "set an alarm for seven thirty",
    "i think we changed the parser last year",
    "my colleague wrote most of these tests",
    "the meeting about the release was cancelled",
    "you should have seen his face when it crashed",
    "we could go to the network conference in june",
    "the latest version broke my keyboard",
    "did you watch the game last night",
    "reset the database to a clean state",
    "undo my changes",
    "make a backup of the folder",
    "copy the configuration to the new machine",
    "generate the schema from the model",
    "profile the startup and make it quicker",
    "there is a bug in the checkout code",
    "assign this ticket to the front end team",
    "lower the log level to warning",
    "split this class in two",
)
"""What a developer may ask for, and the workspace agent cannot do."""
TALK: Final = (
    "the president will meet the leaders of six nations in geneva on thursday",
    "a strong earthquake shook the islands early this morning but nobody was hurt",
    "temperatures will drop below zero tonight with snow in the mountains",
    "the painting was sold for nine million dollars at an auction in paris",
    "the company announced that it will cut four hundred jobs by the end of the year",
    "our reporter is at the stadium where fans have been waiting for hours",
    "chop the onions and fry them in butter until they are golden",
    "my brother bought a used car and it broke down after two days",
    "what did you have for dinner yesterday we had fish and potatoes",
    "the kids are playing outside and the dog is asleep on the sofa",
    "i told him to wait but he was already gone when i came back",
    "it took us three hours to get home because of the snow",
    "the novel tells the story of a young woman who runs a lighthouse",
    "volunteers planted two thousand trees along the river",
    "farmers are worried about the dry summer and the price of grain",
    "you know what i mean right it's just not the same any more",
    "well hello there how have you been it's been ages",
    "okay see you on sunday then and say hi to your mother",
    "the ferry has been delayed because of high waves",
    "next up a song from nineteen eighty four that everybody knows",
    "the judge asked the witness to speak up a little",
    "experts say the virus spreads less quickly than they had feared",
    "he stopped at the door and looked back at the empty house",
    "all the tickets were gone in less than ten minutes",
    "she has a test in history on wednesday and one in math on friday",
    "they searched the forest for the missing boy until midnight",
)
"""Talk that is not meant for it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is measured."""

    n_requests: int = len(REQUESTS)
    voices: tuple[str, ...] = ("marin", "cedar")
    seed: int = 1


class _Sounds:
    """Utterances as the engine gives them to the recogniser: 16 kHz, with a little silence around the words."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._speaker = FliteTextToSpeech(program="flite", environment=os.environ)
        self._made: dict[tuple[str, str], npt.NDArray[np.float64]] = {}

    async def words(self, text: str, voice: str) -> npt.NDArray[np.float64]:
        """The speech alone."""
        if (text, voice) not in self._made:
            async with contextlib.aclosing(self._speaker.speak(text, voice=voice)) as pieces:
                pcm = b"".join([piece async for piece in pieces])
            samples = np.frombuffer(pcm, dtype="<i2")
            self._made[text, voice] = soxr.resample(samples, SPEAKING_RATE_HZ, HEARING_RATE_HZ).astype(np.float64)
        return self._made[text, voice]

    async def utterance(self, text: str, voice: str, *, snr_db: float | None) -> bytes:
        """The speech with 300 ms before and 200 ms after it."""
        words = await self.words(text, voice)
        padded = np.concatenate((np.zeros(4800), words, np.zeros(3200)))
        level = 2.0 if snr_db is None else float(np.sqrt(np.mean(words**2))) * 10 ** (-snr_db / 20)
        return _pcm(padded + self.noise(len(padded), level))

    async def babble(self, n_voices: int, duration_s: float, voices: Sequence[str]) -> bytes:
        """Several people at once."""
        mixed = np.zeros(int(duration_s * HEARING_RATE_HZ))
        for _ in range(n_voices):
            begin = 0
            while begin < len(mixed):
                words = await self.words(str(self._random.choice(TALK)), str(self._random.choice(voices)))
                part = words[: len(mixed) - begin]
                mixed[begin : begin + len(part)] += part * self._random.uniform(0.3, 0.8)
                begin += len(part) + int(self._random.uniform(0.1, 0.6) * HEARING_RATE_HZ)
        return _pcm(mixed + self.noise(len(mixed), 20.0))

    def noise(self, n_samples: int, level: float) -> npt.NDArray[np.float64]:
        """White noise of this standard deviation."""
        return self._random.standard_normal(n_samples) * level


def _pcm(samples: npt.NDArray[np.float64]) -> bytes:
    limited: npt.NDArray[np.int16] = samples.clip(-32768, 32767).astype("<i2")
    return limited.tobytes()


async def _hear(ears: PocketsphinxSpeechToText, pcm: bytes) -> Heard:
    for begin in range(0, len(pcm), CHUNK_BYTES):
        ears.feed(pcm[begin : begin + CHUNK_BYTES])
    return await ears.finish()


def _same(wanted: str, heard: str) -> bool:
    intent = spoken_intent(wanted)
    return wanted == heard or (intent is not None and intent == spoken_intent(heard))


async def _requests(ears: PocketsphinxSpeechToText, sounds: _Sounds, options: Options) -> dict[str, float]:
    figures: dict[str, float] = {}
    for voice in options.voices:
        for label, snr_db in (("clean", None), (f"{SNR_DB:.0f} dB noise", SNR_DB)):
            exact, same, sure = 0, 0, 0
            texts = REQUESTS[: options.n_requests]
            for text in texts:
                heard = await _hear(ears, await sounds.utterance(text, voice, snr_db=snr_db))
                exact += heard.text == text
                same += _same(text, heard.text)
                sure += heard.from_grammar
                if not _same(text, heard.text):
                    print(
                        f"  {voice}, {label}: {text!r} heard as {heard.text!r} {heard.confidence:.2f}", file=sys.stderr
                    )
            figures[f"{voice}, {label}: same meaning, %"] = 100 * same / len(texts)
            figures[f"{voice}, {label}: same words, %"] = 100 * exact / len(texts)
            figures[f"{voice}, {label}: taken from the grammar, %"] = 100 * sure / len(texts)
    return figures


async def _others(ears: PocketsphinxSpeechToText, sounds: _Sounds, options: Options) -> dict[str, float]:
    sets: dict[str, list[bytes]] = {"requests it lacks": [], "other talk": [], "overlapped talk": [], "noise": []}
    for number, text in enumerate(OTHER_REQUESTS + TALK):
        label = "requests it lacks" if number < len(OTHER_REQUESTS) else "other talk"
        for snr_db in (None, SNR_DB):
            voice = options.voices[number % len(options.voices)]
            sets[label].append(await sounds.utterance(text, voice, snr_db=snr_db))
    for n_voices in (2, 3, 4, 5, 6):
        for duration_s in (0.5, 0.8, 1.2, 2.0, 3.0, 5.0):
            sets["overlapped talk"].append(await sounds.babble(n_voices, duration_s, options.voices))
    for level in (1.0, 30.0, 300.0, 3000.0):
        sets["noise"] += [_pcm(sounds.noise(n_samples, level)) for n_samples in (4000, 8000, 16000, 48000)]
    figures: dict[str, float] = {}
    for label, utterances in sets.items():
        accepted = work = 0
        for pcm in utterances:
            heard = await _hear(ears, pcm)
            accepted += heard.from_grammar
            work += heard.from_grammar and spoken_intent(heard.text) is not None
            if heard.from_grammar:
                print(f"  {label}: taken for {heard.text!r} {heard.confidence:.2f}", file=sys.stderr)
        figures[f"{label}: falsely accepted, of {len(utterances)}"] = accepted
        figures[f"{label}: that would start work"] = work
    return figures


async def _latency(ears: PocketsphinxSpeechToText, sounds: _Sounds, options: Options) -> dict[str, float]:
    """At real-time pace, and with the pause that the engine's silence detection makes before it ends the turn."""
    waits_ms = {True: [0.0], False: [0.0]}
    for text in (*REQUESTS[:10], *OTHER_REQUESTS[:6]):
        pcm = await sounds.utterance(text, options.voices[0], snr_db=SNR_DB)
        due = time.perf_counter()
        for begin in range(0, len(pcm), CHUNK_BYTES):
            ears.feed(pcm[begin : begin + CHUNK_BYTES])
            due += CHUNK_BYTES / 2 / HEARING_RATE_HZ
            await asyncio.sleep(due - time.perf_counter())
        await asyncio.sleep(0.3)
        began = time.perf_counter()
        heard = await ears.finish()
        waits_ms[heard.from_grammar].append((time.perf_counter() - began) * 1000)
    figures: dict[str, float] = {}
    for from_grammar, label in ((True, "grammar"), (False, "general")):
        waits = sorted(waits_ms[from_grammar][1:] or [0.0])
        figures[f"final result, {label}: median, ms"] = statistics.median(waits)
        figures[f"final result, {label}: slowest of {len(waits)}, ms"] = waits[-1]
    return figures


async def _voice_activity(sounds: _Sounds, options: Options) -> dict[str, float]:
    voice = SileroVoiceActivity()
    costs_us, starts_ms, ends_ms = [], [], []
    chunk_ms = voice.chunk_bytes / 2 / HEARING_RATE_HZ * 1000
    for text in REQUESTS[:20]:
        words = await sounds.words(text, options.voices[0])
        samples = np.concatenate((np.zeros(16_000), words, np.zeros(16_000)))
        loud = np.flatnonzero(np.abs(samples) > 1000) / HEARING_RATE_HZ * 1000
        pcm = _pcm(samples + sounds.noise(len(samples), 3.0))
        voice.reset()
        spoken = []
        for begin in range(0, len(pcm) - voice.chunk_bytes, voice.chunk_bytes):
            began = time.perf_counter()
            spoken.append(voice.probability(pcm[begin : begin + voice.chunk_bytes]) > 0.5)
            costs_us.append((time.perf_counter() - began) * 1e6)
        last = len(spoken) - 1 - spoken[::-1].index(True)
        starts_ms.append((spoken.index(True) + 1) * chunk_ms - loud[0])
        ends_ms.append((last + 2) * chunk_ms - loud[-1])
    return {
        "voice activity: a chunk of 32 ms, median us": statistics.median(costs_us),
        "voice activity: a chunk of 32 ms, 99 % within us": sorted(costs_us)[int(len(costs_us) * 0.99)],
        "voice activity: start noticed after, median ms": statistics.median(starts_ms),
        "voice activity: start noticed after, latest ms": max(starts_ms),
        "voice activity: end noticed after, median ms": statistics.median(ends_ms),
        "voice activity: end noticed after, latest ms": max(ends_ms),
    }


async def _speaking() -> dict[str, float]:
    speakers: list[TextToSpeech] = [
        FliteTextToSpeech(program="flite", environment=os.environ),
        EspeakTextToSpeech(program="espeak-ng", environment=os.environ),
        LoaderTextToSpeech(os.environ),
    ]
    text = "I ran the tests in core, and one of the twelve failed. It expected three tokens and got two."
    figures: dict[str, float] = {}
    for speaker in speakers:
        firsts_ms, factors = [], []
        for _ in range(10):
            began, first, n_bytes = time.perf_counter(), 0.0, 0
            async with contextlib.aclosing(speaker.speak(text, voice="marin")) as pieces:
                async for piece in pieces:
                    first = first or time.perf_counter() - began
                    n_bytes += len(piece)
            firsts_ms.append(first * 1000)
            factors.append((time.perf_counter() - began) / (n_bytes / 2 / SPEAKING_RATE_HZ))
        figures[f"{speaker.name}: first audio, median ms"] = statistics.median(firsts_ms)
        figures[f"{speaker.name}: first audio, slowest of 10, ms"] = max(firsts_ms)
        figures[f"{speaker.name}: real-time factor"] = statistics.median(factors)
    return figures


async def _measure(options: Options) -> dict[str, float]:
    sounds = _Sounds(options.seed)
    figures = await _voice_activity(sounds, options) | await _speaking()
    ears = PocketsphinxSpeechToText(grammar=spoken_grammar())
    try:
        began = time.perf_counter()
        await ears.start()
        figures["recogniser: start, ms"] = (time.perf_counter() - began) * 1000
        figures |= await _latency(ears, sounds, options)
        figures |= await _requests(ears, sounds, options)
        figures |= await _others(ears, sounds, options)
    finally:
        await ears.close()
    return figures


def main(options: Options | None = None) -> dict[str, float]:
    """The figures by what they are; what was misheard goes to standard error."""
    return asyncio.run(_measure(options or Options()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the speech components.")
    parser.add_argument("--requests", type=int, default=len(REQUESTS), help="how many of the requests")
    parser.add_argument("--voices", default="marin,cedar", help="of the protocol, separated by commas")
    parser.add_argument("--seed", type=int, default=1, help="of the noise")
    given = parser.parse_args()
    for name, figure in main(
        Options(n_requests=given.requests, voices=tuple(given.voices.split(",")), seed=given.seed)
    ).items():
        print(f"{name:<55} {figure:12,.2f}")
