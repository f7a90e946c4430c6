"""Speaking by the synthesizers a machine may have: flite, espeak-ng, or the library that `espeakng-loader` brings.

Each is a program that gets text on standard input and gives WAV, so a synthesis can be ended by ending its process, and
none of their licences or crashes reaches ours. flite gives nothing before it is done with its text, so it gets the text
piece by piece, the next piece while the one before is heard; espeak-ng gives audio as it goes.

Who owns what: the generator of `speak` owns its processes and ends them in its `finally`, so whoever iterates it closes
it (`contextlib.aclosing`). There is no task in the background.

Measured on two shared cores, to the first audio of a sentence: flite 50 ms, espeak-ng 10 ms, espeakng-loader 27 ms.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from backchannel.engine.speech import espeak_worker
from backchannel.engine.speech.pieces import clean_text, split_text
from backchannel.engine.speech.shaping import SILENCE_LEVEL, Shaper
from backchannel.errors import SpeechError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["EspeakTextToSpeech", "FliteTextToSpeech", "LoaderTextToSpeech", "find_speaker"]

SLICE_BYTES: Final = 8192
ANSWER_DEADLINE_S: Final = 20.0
"""A synthesizer that gives nothing for so long is given up."""
PROBE_DEADLINE_S: Final = 10.0
WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_WORDS_PER_MINUTE: Final = 165
_DEFAULT_VOICE: Final = "marin"
_TOO_LATE: Final = f"gave no audio within {ANSWER_DEADLINE_S:.0f} s"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _FliteVoice:
    name: str
    stretch: float = 1.0
    """How much slower than the voice's own pace."""


_FLITE_VOICES: Final = {
    "alloy": _FliteVoice(name="slt", stretch=1.05),
    "ash": _FliteVoice(name="rms"),
    "ballad": _FliteVoice(name="awb"),
    "coral": _FliteVoice(name="slt", stretch=0.95),
    "echo": _FliteVoice(name="rms", stretch=0.9),
    "sage": _FliteVoice(name="slt", stretch=1.1),
    "shimmer": _FliteVoice(name="slt", stretch=0.9),
    "verse": _FliteVoice(name="awb", stretch=0.95),
    "marin": _FliteVoice(name="slt"),
    "cedar": _FliteVoice(name="rms", stretch=0.95),
}
_ESPEAK_VOICES: Final = {
    "alloy": "en-us+f2",
    "ash": "en-us+m3",
    "ballad": "en-gb+m7",
    "coral": "en-us+f4",
    "echo": "en-us+m1",
    "sage": "en-us+f1",
    "shimmer": "en-gb+f5",
    "verse": "en-gb+m4",
    "marin": "en-us+f3",
    "cedar": "en-us+m2",
}


class _SynthesizerFailed(Exception):
    """What a synthesizer did instead of speaking; the text completes "NAME ..."."""


class _Synthesis:
    """One run of a synthesizer: its process, and where it puts its audio.

    Given an output file, the program writes WAV there, and its audio comes when it is done; else it writes WAV to
    standard output.
    """

    def __init__(self, process: asyncio.subprocess.Process, output: int | None) -> None:
        self._process = process
        self._output = output

    async def wait(self) -> None:
        """Until the audio is there: the file is complete, or the stream can be read.

        Raises:
            _SynthesizerFailed: It took too long.
        """
        if self._output is not None:
            try:
                async with asyncio.timeout(ANSWER_DEADLINE_S):
                    await self._process.wait()
            except TimeoutError:
                raise _SynthesizerFailed(_TOO_LATE) from None

    async def audio(self) -> AsyncGenerator[tuple[int, bytes]]:
        """The sample rate and the next slice, until the end.

        Raises:
            _SynthesizerFailed: It gave no audio, or not in time.
        """
        try:
            await self.wait()
            header = await self._read(WAV_HEADER.size, 0)
            rate_hz = _rate_hz(header)
            position = len(header)
            while data := await self._read(SLICE_BYTES, position):
                position += len(data)
                yield rate_hz, data
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                status = await self._process.wait()
        except TimeoutError:
            raise _SynthesizerFailed(_TOO_LATE) from None
        if status != 0:
            raise _SynthesizerFailed(f"ended with status {status}")

    async def _read(self, n_bytes: int, position: int) -> bytes:
        """So many bytes; less only at the end."""
        if self._output is not None:
            return os.pread(self._output, n_bytes, position)
        if self._process.stdout is None:
            raise AssertionError("a synthesizer without a file writes to its standard output")
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            try:
                return await self._process.stdout.readexactly(n_bytes)
            except asyncio.IncompleteReadError as exc:
                return exc.partial

    def kill(self) -> None:
        """Kill what still runs."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill what still runs, and wait for it. Idempotent."""
        self.kill()
        if self._output is not None:
            os.close(self._output)
            self._output = None
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            await self._process.stdout.read()
        await self._process.wait()


class _ProgramTextToSpeech(abc.ABC):
    """What the synthesizers share."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Which synthesizer this is, for a person."""

    @abc.abstractmethod
    def _command(self, voice: str, output: str | None) -> list[str]:
        """The program with its arguments; `output` is the WAV file it shall write, if it `_writes_file`."""

    @abc.abstractmethod
    def _pieces(self, text: str) -> list[str]:
        """What is synthesized in one run each."""

    @property
    def _writes_file(self) -> bool:
        return False

    async def speak(self, text: str, *, voice: str) -> AsyncGenerator[bytes]:
        """Yield the speech as 24 kHz mono PCM16, piece by piece; closing it early ends the synthesis.

        Silences before and after each piece are cut short. Text with nothing to pronounce gives nothing. Text longer
        than `pieces.MAX_TEXT_CHARS` is cut.

        Raises:
            SpeechError: Nothing could be synthesized.
        """
        waiting = self._pieces(text)
        if not waiting:
            return
        voice = voice if voice in _FLITE_VOICES else _DEFAULT_VOICE
        running: list[_Synthesis] = []
        shaper: Shaper | None = None
        try:
            running.append(await self._start(waiting.pop(0), voice))
            while running:
                await running[0].wait()
                if waiting:
                    running.append(await self._start(waiting.pop(0), voice))
                async with contextlib.aclosing(running[0].audio()) as slices:
                    async for rate_hz, data in slices:
                        shaper = shaper or Shaper(rate_hz)
                        if speech := shaper.shape(data):
                            yield speech
                await running[0].end()
                del running[0]
                if shaper is not None:
                    shaper.end_piece()
            if shaper is not None and (speech := shaper.finish()):
                yield speech
        except _SynthesizerFailed as exc:
            raise SpeechError(f"{self.name} could not speak: it {exc}") from exc
        finally:
            for synthesis in running:
                synthesis.kill()
            for synthesis in running:
                await synthesis.end()
        if shaper is None or not shaper.voiced:
            raise SpeechError(f"{self.name} could not speak: it gave only silence")

    def probe(self) -> bool:
        """Whether it really speaks. Blocks for up to `PROBE_DEADLINE_S`."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "probe.wav") if self._writes_file else None
            try:
                done = subprocess.run(
                    self._command(_DEFAULT_VOICE, None if path is None else str(path)),
                    input=b"ready",
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=self._environment,
                    timeout=PROBE_DEADLINE_S,
                    start_new_session=True,
                    check=True,
                )
                audio = done.stdout if path is None else path.read_bytes()
                rate_hz = _rate_hz(audio[: WAV_HEADER.size])
            except (OSError, subprocess.SubprocessError, _SynthesizerFailed):
                return False
        # At least a twentieth of a second, and not silence.
        samples = np.frombuffer(audio[WAV_HEADER.size :][: rate_hz * 2 & ~1], dtype="<i2")
        return len(samples) > rate_hz // 20 and bool(np.any(np.abs(samples.astype(np.int32)) > SILENCE_LEVEL))

    async def _start(self, text: str, voice: str) -> _Synthesis:
        output = _open_output() if self._writes_file else None
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command(voice, None if output is None else f"/dev/fd/{output}"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL if self._writes_file else asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environment,
                pass_fds=() if output is None else (output,),
                start_new_session=True,
            )
        except BaseException as exc:
            if output is not None:
                os.close(output)
            if isinstance(exc, OSError):
                raise _SynthesizerFailed(f"could not be started ({exc.strerror})") from exc
            raise
        if process.stdin is not None:
            # The text is far smaller than a pipe holds, so there is nothing to wait for.
            process.stdin.write(text.encode("utf-8", "ignore"))
            process.stdin.close()
        return _Synthesis(process, output)


class FliteTextToSpeech(_ProgramTextToSpeech):
    """Speaks by the program flite, sentence by sentence."""

    def __init__(self, *, program: str, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self._program = program

    @property
    def name(self) -> str:
        """Which synthesizer this is, for a person."""
        return "flite"

    @property
    def _writes_file(self) -> bool:
        # With text from standard input it goes back in its output, which a pipe cannot.
        return True

    def _command(self, voice: str, output: str | None) -> list[str]:
        chosen = _FLITE_VOICES[voice]
        stretch = ["--setf", f"duration_stretch={chosen.stretch}"]
        return [self._program, "-voice", chosen.name, *stretch, "-f", "-", "-o", output or "none"]

    def _pieces(self, text: str) -> list[str]:
        return split_text(clean_text(text, ascii_only=True))


class EspeakTextToSpeech(_ProgramTextToSpeech):
    """Speaks by the program espeak-ng, which streams."""

    def __init__(self, *, program: str, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self._program = program

    @property
    def name(self) -> str:
        """Which synthesizer this is, for a person."""
        return "espeak-ng"

    def _command(self, voice: str, output: str | None) -> list[str]:
        del output  # it writes to standard output
        return [self._program, "-v", _ESPEAK_VOICES[voice], "-s", str(_WORDS_PER_MINUTE), "--stdin", "--stdout"]

    def _pieces(self, text: str) -> list[str]:
        cleaned = clean_text(text)
        return [cleaned] if cleaned else []


class LoaderTextToSpeech(_ProgramTextToSpeech):
    """Speaks by the espeak-ng library that the package `espeakng-loader` brings, in a process of its own."""

    @property
    def name(self) -> str:
        """Which synthesizer this is, for a person."""
        return "espeakng-loader"

    def _command(self, voice: str, output: str | None) -> list[str]:
        del output  # it writes to standard output
        path = str(Path(espeak_worker.__file__).resolve())
        return [sys.executable, "-I", path, _ESPEAK_VOICES[voice], str(_WORDS_PER_MINUTE)]

    def _pieces(self, text: str) -> list[str]:
        cleaned = clean_text(text)
        return [cleaned] if cleaned else []


def find_speaker(environment: Mapping[str, str]) -> FliteTextToSpeech | EspeakTextToSpeech | LoaderTextToSpeech | None:
    """The best synthesizer of this machine that really speaks; None when there is none.

    Tries flite, then espeak-ng on the PATH of `environment`, then the package `espeakng-loader`. Blocks for as long as
    they take to say one word (about 0.1 s), so event loops call it in a thread.
    """
    path = environment.get("PATH", os.defpath)
    if program := shutil.which("flite", path=path):
        flite = FliteTextToSpeech(program=program, environment=environment)
        if flite.probe():
            return flite
    if program := shutil.which("espeak-ng", path=path):
        espeak = EspeakTextToSpeech(program=program, environment=environment)
        if espeak.probe():
            return espeak
    loader = LoaderTextToSpeech(environment)
    return loader if loader.probe() else None


def _rate_hz(header: bytes) -> int:
    """The sample rate that a WAV header of the plain form tells.

    Raises:
        _SynthesizerFailed: It is another header, or none.
    """
    if len(header) < WAV_HEADER.size:
        raise _SynthesizerFailed("gave no audio")
    riff, _, wave, _, _, encoding, channels, rate_hz, _, _, bits, data, _ = WAV_HEADER.unpack(header)
    if (riff, wave, data) != (b"RIFF", b"WAVE", b"data") or (encoding, channels, bits) != (1, 1, 16):
        raise _SynthesizerFailed("gave something else than 16 bit mono WAV")
    return int(rate_hz)


def _open_output() -> int:
    """A file without a name for a synthesizer to write to, as `/dev/fd/N`."""
    if sys.platform != "linux":
        descriptor, path = tempfile.mkstemp(suffix=".wav")
        os.unlink(path)
        return descriptor
    return os.memfd_create("speech", 0)
