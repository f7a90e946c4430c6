"""Hearing by pocketsphinx, offline, in a process of its own for each session.

The process (`hearing_worker.py`) is started by `start`, lives until `close`, and is replaced after it died. It ends by
itself when this side goes away.

Who owns what: whoever makes a `PocketsphinxSpeechToText` closes it; it owns the process and its pipes. There is no task
in the background: `start` and `finish` read the answers themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

from backchannel.engine.speech import hearing_worker as worker
from backchannel.engine.speech.base import Heard
from backchannel.errors import SpeechError

__all__ = ["PocketsphinxSpeechToText"]

START_DEADLINE_S: Final = 60.0
FINISH_DEADLINE_S: Final = 18.0
"""A process that takes longer over the end of an utterance hangs, and is replaced."""
MAX_UNSENT_BYTES: Final = worker.MAX_UTTERANCE_BYTES
"""The pipe to the process holds at most this much; the process is several times faster than speech."""
_WORKER_PATH: Final = str(Path(worker.__file__).resolve())
_DIED: Final = "the speech recogniser died; please say it again"


class PocketsphinxSpeechToText:
    """Writes down one utterance at a time: a sentence of a closed grammar when it was really said, else free words.

    An utterance is cut after 30 s. Audio that the process has not taken yet is bounded by `MAX_UNSENT_BYTES`; what
    comes while it is full is dropped (the newest).
    """

    def __init__(self, *, grammar: str, model_dir: Path | None = None) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            grammar: JSGF with one public rule.
            model_dir: A directory laid out like the model of the pocketsphinx wheel (`en-us/`, `en-us.lm.bin`,
                `en-us-phone.lm.bin`, `cmudict-en-us.dict`); None is that model.
        """
        self._setup = json.dumps({"grammar": grammar, "model_dir": None if model_dir is None else str(model_dir)})
        self._process: asyncio.subprocess.Process | None = None
        self._ready = False
        self._header: tuple[bytes, int] | None = None
        self._utterance = 0
        self._taken_bytes = 0
        self._unsent = bytearray()
        self._lost = False
        self._closed = False

    async def start(self) -> None:
        """Start the process and wait until its models are loaded (about a second); nothing when it runs already.

        Raises:
            SpeechError: The process did not start, or the grammar does not fit the dictionary: names the words.
        """
        if self._closed:
            raise SpeechError("this speech recogniser was closed")
        if self._ready and self._process is not None and self._process.returncode is None:
            return
        await self._end()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                _WORKER_PATH,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as exc:
            raise SpeechError(f"the speech recogniser could not be started ({exc.strerror})") from exc
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                self._write(worker.SETUP, self._setup.encode())
                kind, payload = await self._read()
            if kind == worker.FAILED:
                raise SpeechError(f"the speech recogniser cannot start: {payload.decode(errors='replace')}")
            if kind != worker.READY:
                raise SpeechError("the speech recogniser answered out of turn at its start")
            self._ready = True
        except EOFError:
            raise SpeechError("the speech recogniser died at its start") from None
        except TimeoutError:
            raise SpeechError(f"the speech recogniser was not ready within {START_DEADLINE_S:.0f} s") from None
        finally:
            if not self._ready:
                await self._end()
        if self._unsent:
            self._write(worker.AUDIO, bytes(self._unsent))
            self._unsent.clear()

    def feed(self, pcm: bytes) -> None:
        """Add audio to the utterance; the first audio after `finish` or `discard` opens the next one.

        What is beyond 30 s, or beyond `MAX_UNSENT_BYTES` that the process has not taken, is dropped.
        """
        pcm = pcm[: worker.MAX_UTTERANCE_BYTES - self._taken_bytes]
        if not pcm or self._closed or self._lost:
            return
        first = self._taken_bytes == 0
        self._taken_bytes += len(pcm)
        process = self._process
        if self._ready and process is not None and process.returncode is not None:
            if first:
                self._ready = False
            else:
                self._lost = True
                return
        if not self._ready or process is None or process.stdin is None:
            # Not started yet, or it died before this utterance: `finish` starts it, and nothing is lost.
            self._unsent += pcm
        elif process.stdin.transport.get_write_buffer_size() + len(pcm) <= MAX_UNSENT_BYTES:
            self._write(worker.AUDIO, pcm)

    async def finish(self) -> Heard:
        """The utterance is over: what was said.

        Raises:
            SpeechError: The recogniser died; the next utterance starts a new one.
        """
        if self._closed:
            raise SpeechError("this speech recogniser was closed")
        if not self._taken_bytes:
            return Heard(text="", confidence=0.0, from_grammar=False)
        lost, self._lost, self._taken_bytes = self._lost, False, 0
        if lost:
            await self._end()
            raise SpeechError(_DIED)
        self._utterance += 1
        try:
            if not self._ready:
                await self.start()
            self._write(worker.FINISH, str(self._utterance).encode())
            async with asyncio.timeout(FINISH_DEADLINE_S) as deadline:
                return await self._answer()
        except EOFError:
            await self._end()
            raise SpeechError(_DIED) from None
        except TimeoutError:
            if not deadline.expired():
                raise
            await self._end()
            raise SpeechError("the speech recogniser took too long; please say it again") from None
        finally:
            self._unsent.clear()

    async def _answer(self) -> Heard:
        while True:
            kind, payload = await self._read()
            if kind != worker.HEARD:
                raise SpeechError("the speech recogniser answered out of turn")
            answer = json.loads(payload)
            # An older answer is of an utterance whose `finish` was given up.
            if answer["utterance"] == self._utterance:
                return Heard(text=answer["text"], confidence=answer["confidence"], from_grammar=answer["from_grammar"])

    def discard(self) -> None:
        """Forget the utterance so far."""
        self._taken_bytes = 0
        self._unsent.clear()
        if self._lost or self._closed:
            self._lost = False
        elif self._ready:
            self._write(worker.DISCARD, b"")

    async def close(self) -> None:
        """End the process and wait for it. Idempotent."""
        self._closed = True
        self._unsent.clear()
        await self._end()

    def _write(self, kind: bytes, payload: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(worker.encode_frame(kind, payload))

    async def _read(self) -> tuple[bytes, bytes]:
        """The next frame. Cancelled in the middle of one, it goes on there the next time.

        Raises:
            EOFError: The process ended.
        """
        stdout = None if self._process is None else self._process.stdout
        if stdout is None:
            raise EOFError
        if self._header is None:
            self._header = worker.HEADER.unpack(await stdout.readexactly(worker.HEADER.size))
        kind, length = self._header
        payload = await stdout.readexactly(length)
        self._header = None
        return kind, payload

    async def _end(self) -> None:
        process, self._process = self._process, None
        self._ready = False
        self._header = None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()
        if process.stdout is not None:
            with contextlib.suppress(ConnectionError):
                await process.stdout.read()
        await process.wait()
