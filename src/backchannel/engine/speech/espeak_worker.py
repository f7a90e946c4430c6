"""Speaks through the espeak-ng library that the `espeakng-loader` package brings, in a process of its own.

The library is licensed under the GPL 3, so it is loaded only here, never by Backchannel itself, and only when neither
flite nor espeak-ng is installed. Run as a file (`python -I espeak_worker.py VOICE WORDS_PER_MINUTE`): text in UTF-8 on
standard input until its end; a WAV stream of mono PCM16 with an open length on standard output.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import Final

__all__ = ["main"]

OUTPUT_SYNCHRONOUS: Final = 2
BUFFER_MS: Final = 60
DONT_EXIT: Final = 0x8000
PARAMETER_RATE: Final = 1
POSITION_CHARACTER: Final = 1
CHARS_UTF8: Final = 1
OPEN_LENGTH: Final = 0x7FFFF000


def main(arguments: list[str]) -> int:
    """Speak standard input; the exit status is 0 when it was spoken."""
    voice, words_per_minute = arguments
    try:
        import espeakng_loader
    except ImportError:
        return 3
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(
        OUTPUT_SYNCHRONOUS, BUFFER_MS, espeakng_loader.get_data_path().encode(), DONT_EXIT
    )
    if rate_hz <= 0:
        return 4
    if library.espeak_SetVoiceByName(voice.encode()) != 0 and library.espeak_SetVoiceByName(b"en-us") != 0:
        return 5
    library.espeak_SetParameter(PARAMETER_RATE, int(words_per_minute), 0)
    sink = os.dup(1)
    os.dup2(2, 1)
    text = sys.stdin.buffer.read()
    _write(sink, _header(rate_hz))

    def take(samples: int | None, n_samples: int, _events: int) -> int:
        if samples and n_samples > 0:
            try:
                _write(sink, ctypes.string_at(samples, n_samples * 2))
            except OSError:
                return 1  # nobody listens any more: end the synthesis
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(take)
    library.espeak_SetSynthCallback(callback)
    spoken = library.espeak_Synth(
        text + b"\0",
        ctypes.c_size_t(len(text) + 1),
        ctypes.c_uint(0),
        POSITION_CHARACTER,
        ctypes.c_uint(0),
        ctypes.c_uint(CHARS_UTF8),
        None,
        None,
    )
    library.espeak_Synchronize()
    return 0 if spoken == 0 else 6


def _header(rate_hz: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, rate_hz, rate_hz * 2, 2, 16)
    return struct.pack(
        "<4sI4s4sI16s4sI", b"RIFF", OPEN_LENGTH + 36, b"WAVE", b"fmt ", len(form), form, b"data", OPEN_LENGTH
    )


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
