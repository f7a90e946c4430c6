"""The recogniser's own process: audio comes in frames on standard input, what was said goes out on standard output.

Run as a file (`python -I hearing_worker.py`), so that it starts without loading the rest of the package; the session's
side, in `hearing.py`, imports the frame format from here. Besides the standard library it needs pocketsphinx only.

A frame is one byte of kind, four bytes of length (big-endian), and that many bytes. To the worker: SETUP (JSON), AUDIO
(16 kHz mono PCM16), FINISH (an utterance number in ASCII) and DISCARD. From it: READY, FAILED (why it cannot start) and
HEARD (JSON with the utterance number). It ends at the end of its input.

Theory of operation. Two decoders share the acoustic model's files. The *listener* runs the general language model while
the audio comes. The *judge* runs over the whole utterance at once, when the audio pauses or at the finish, because
normalising over the whole of it makes it much more accurate: first the closed grammar, then a loop of phones. A grammar
always finds its best sentence, also in babble. The loop of phones can follow anything that is speech, so how much worse
the sentence fits than the loop tells whether it was really said. A pause in the audio is used to judge ahead: the
client's silence detection waits longer than that takes, so that mostly the answer is ready when it is asked for.

The file is long because it runs as it stands, without the rest of the package.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import select
import struct
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "AUDIO",
    "DISCARD",
    "FAILED",
    "FINISH",
    "HEADER",
    "HEARD",
    "MAX_UTTERANCE_BYTES",
    "READY",
    "SETUP",
    "Evidence",
    "Recogniser",
    "confidence_of",
    "distance",
    "encode_frame",
    "grammar_words",
]

SETUP: Final = b"S"
AUDIO: Final = b"A"
FINISH: Final = b"F"
DISCARD: Final = b"D"
READY: Final = b"R"
FAILED: Final = b"X"
HEARD: Final = b"H"
HEADER: Final = struct.Struct(">cI")

RATE_HZ: Final = 16_000
FRAME_BYTES: Final = RATE_HZ // 100 * 2
"""The recogniser's frame is 10 ms."""
MAX_UTTERANCE_BYTES: Final = 30 * RATE_HZ * 2
"""An utterance is cut after 30 s."""
MAX_SENTENCE_BYTES: Final = 8 * RATE_HZ * 2
"""Nobody takes longer than 8 s over a sentence of the grammar; judging longer audio would only cost time."""
NORMALISING_BYTES: Final = RATE_HZ * 2
"""The listener waits for so much, to set its normalisation by it."""
MIN_UTTERANCE_BYTES: Final = RATE_HZ * 2 // 10
"""In less than 100 ms there is no word."""
PAUSE_S: Final = 0.08
"""No audio for this long is taken for a pause, worth judging ahead."""
MAX_FRAME_BYTES: Final = 4 * 1024 * 1024

SCORE_SCALE: Final = 1024
"""The decoder's logarithms have lost 10 bits."""
TINY: Final = 1e-320


def encode_frame(kind: bytes, payload: bytes = b"") -> bytes:
    """A frame as it goes through the pipe."""
    return HEADER.pack(kind, len(payload)) + payload


def grammar_words(grammar: str) -> list[str]:
    """Every word that stands in a JSGF grammar, once, in its order."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", grammar, flags=re.DOTALL)
    text = re.sub(r"^\s*#JSGF[^;]*;|\bgrammar\s+[^;]*;|\bimport\s*<[^>]*>\s*;", " ", text)
    text = re.sub(r"(?:\bpublic\s+)?<[^>]*>\s*=", " ", text)
    text = re.sub(r"<[^>]*>|\{[^}]*\}|/[\d.]+/", " ", text)
    return list(dict.fromkeys(re.findall(r"[^\s()\[\]|;*+\"]+", text)))


class _SearchedSegment(Protocol):
    word: str
    start_frame: int
    end_frame: int
    ascore: float


class _Hypothesis(Protocol):
    hypstr: str


class _Decoder(Protocol):
    """What is used of `pocketsphinx.Decoder`, which has no type information."""

    def start_utt(self) -> None: ...
    def end_utt(self) -> None: ...
    def process_raw(self, data: bytes, no_search: bool = ..., full_utt: bool = ...) -> object: ...  # noqa: FBT001
    def hyp(self) -> _Hypothesis | None: ...
    def seg(self) -> Iterable[_SearchedSegment] | None: ...
    def lookup_word(self, word: str) -> str | None: ...
    def add_jsgf_string(self, name: str, jsgf_string: str) -> None: ...
    def add_allphone_file(self, name: str, lmfile: str | None = ...) -> None: ...
    def activate_search(self, search_name: str) -> None: ...
    def get_cmn(self) -> str: ...
    def set_cmn(self, cmn: str) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for and against a sentence of the grammar having been said.

    Scores are log likelihoods in nats a frame, relative to the best sound of each frame; a lag is how much worse
    the sentence scores than the loop of phones.
    """

    sentence: str
    """The words of the grammar's best sentence."""
    lag: float
    """Over the whole utterance, with its silences."""
    words_lag: float
    worst_word_lag: float
    silence_score: float
    """What is taken for silence around and between the words."""
    log_frames: float
    """Natural logarithm of the words' frames."""
    loop_distance: float
    """Between the sentence's phones and those the loop heard: edits over the longer one's length."""


class _Segment(NamedTuple):
    word: str
    start: int
    n_frames: int
    score: float
    """Acoustic log likelihood of all its frames, in nats."""


def _segments(decoder: _Decoder) -> list[_Segment]:
    """The parts of the decoder's best hypothesis that cover frames; empty when there is none."""
    if decoder.hyp() is None:
        return []
    return [
        _Segment(
            word=re.sub(r"\(\d+\)$", "", segment.word),
            start=segment.start_frame,
            n_frames=segment.end_frame - segment.start_frame + 1,
            score=math.log(max(segment.ascore, TINY)) * SCORE_SCALE,
        )
        for segment in decoder.seg() or ()
        if 0 <= segment.start_frame <= segment.end_frame and segment.word != "(NULL)"
    ]


def _is_filler(word: str) -> bool:
    return word.startswith(("<", "[", "+", "SIL"))


class SetupError(Exception):
    """The recogniser cannot start; the text is for a person."""


class Recogniser:
    """Decodes one utterance at a time: `feed` it, `finish` it, `discard` it."""

    def __init__(self, *, grammar: str, model_dir: str | None) -> None:
        """Load the models, which takes about a second.

        Raises:
            SetupError: A model cannot be loaded, or the grammar does not fit it.
        """
        import pocketsphinx

        root = model_dir or os.path.join(pocketsphinx.get_model_path(), "en-us")
        model = {"hmm": os.path.join(root, "en-us"), "dict": os.path.join(root, "cmudict-en-us.dict")}
        try:
            self._listener: _Decoder = pocketsphinx.Decoder(
                **model, lm=os.path.join(root, "en-us.lm.bin"), loglevel="FATAL"
            )
            # With all sounds scored in each frame, the scores of its two searches can be compared.
            self._judge: _Decoder = pocketsphinx.Decoder(
                **model, lm=None, cmn="batch", bestpath=False, compallsen=True, loglevel="FATAL"
            )
            self._judge.add_allphone_file("loop")
        except (RuntimeError, ValueError) as exc:
            raise SetupError(f"the speech model in {root} cannot be loaded ({exc})") from exc
        unknown = [word for word in grammar_words(grammar) if self._judge.lookup_word(word) is None]
        if unknown:
            raise SetupError("the grammar has words that the dictionary lacks: " + ", ".join(unknown[:20]))
        try:
            self._judge.add_jsgf_string("grammar", grammar)
            self._judge.activate_search("grammar")
        except (RuntimeError, ValueError) as exc:
            raise SetupError(f"the grammar cannot be read ({exc})") from exc
        self._pcm = bytearray()
        self._listening = False
        self._judged: tuple[int, Evidence | None] | None = None

    def feed(self, pcm: bytes) -> None:
        """Decode more of the utterance; what is beyond `MAX_UTTERANCE_BYTES` is dropped."""
        pcm = pcm[: MAX_UTTERANCE_BYTES - len(self._pcm)]
        self._pcm += pcm
        if self._listening:
            self._listener.process_raw(pcm)
        elif len(self._pcm) >= NORMALISING_BYTES:
            self._listen()

    def judge(self) -> Evidence | None:
        """Compare what was fed so far with the grammar; None: nothing fits. It is kept until more is fed."""
        if self._judged is None or self._judged[0] != len(self._pcm):
            self._judged = (len(self._pcm), self._evidence(bytes(self._pcm)))
        return self._judged[1]

    def finish(self) -> tuple[str, float, bool]:
        """The utterance is over: its words, the confidence in them, and whether they are a sentence of the grammar.

        It stays until `discard`, because the listener's own end takes its time.
        """
        if len(self._pcm) < MIN_UTTERANCE_BYTES:
            return "", 0.0, False
        evidence = self.judge()
        confidence = 0.0 if evidence is None else confidence_of(evidence)
        if evidence is not None and confidence >= ACCEPTED:
            return evidence.sentence, confidence, True
        if not self._listening:
            self._listen()
        self._listener.end_utt()
        self._listening = False
        words = [word for word, *_ in _segments(self._listener) if not _is_filler(word)]
        return " ".join(words), min(GENERAL_CONFIDENCE, 1 - confidence) if words else 0.0, False

    def discard(self) -> None:
        """Forget the utterance."""
        if self._listening:
            self._listener.end_utt()
            self._listening = False
        self._pcm.clear()
        self._judged = None

    def _listen(self) -> None:
        """Start the listener with the normalisation that fits what is there of the utterance.

        Its own adapts slowly; from the model's default it gets the first utterances of a session wrong.
        """
        pcm = bytes(self._pcm)
        self._judge.activate_search("loop")
        self._judge.start_utt()
        self._judge.process_raw(pcm, no_search=True, full_utt=True)
        self._judge.end_utt()
        self._listener.set_cmn(self._judge.get_cmn())
        self._listener.start_utt()
        self._listening = True
        self._listener.process_raw(pcm)

    def _decode(self, search: str, pcm: bytes) -> list[_Segment]:
        self._judge.activate_search(search)
        self._judge.start_utt()
        self._judge.process_raw(pcm, full_utt=True)
        self._judge.end_utt()
        return _segments(self._judge)

    def _evidence(self, pcm: bytes) -> Evidence | None:
        if not MIN_UTTERANCE_BYTES <= len(pcm) <= MAX_SENTENCE_BYTES:
            return None
        segments = self._decode("grammar", pcm)
        words = [segment for segment in segments if not _is_filler(segment.word)]
        if not words:
            return None
        loop = self._decode("loop", pcm)
        if not loop:
            return None
        heard = [segment.word for segment in loop if not _is_filler(segment.word)]
        best = [segment.score / segment.n_frames for segment in loop for _ in range(segment.n_frames)]
        phones = self._phones([segment.word for segment in words])
        silences = [segment for segment in segments if _is_filler(segment.word)]
        lags = [(sum(best[s.start : s.start + s.n_frames]) - s.score, s.n_frames) for s in words]
        spoken_frames = sum(segment.n_frames for segment in words)
        total_frames = sum(segment.n_frames for segment in segments)
        return Evidence(
            sentence=" ".join(segment.word for segment in words),
            lag=(sum(best) - sum(segment.score for segment in segments)) / total_frames,
            words_lag=sum(lag for lag, _ in lags) / spoken_frames,
            worst_word_lag=max(lag / n_frames for lag, n_frames in lags),
            silence_score=sum(s.score for s in silences) / max(1, total_frames - spoken_frames),
            log_frames=math.log(spoken_frames),
            loop_distance=distance(phones, heard),
        )

    def _phones(self, words: list[str]) -> list[str]:
        return [phone for word in words for phone in (self._judge.lookup_word(word) or "").split()]


ACCEPTED: Final = 0.6
GENERAL_CONFIDENCE: Final = 0.4
"""The general model gets about a third of the words wrong."""
USUAL_SILENCE_SCORE: Final = -2.5
"""Real silence scores no worse; what does is speech that the sentence has no words for."""


def confidence_of(evidence: Evidence) -> float:
    """How likely it is that the sentence was said, 0 to 1: a logistic regression.

    Fitted on 600 synthesized utterances of 8 voices, clean and with noise at 25 and 20 dB; half of them were no
    sentence of the grammar: requests that it lacks, other talk and pieces of it, overlapping voices, noises.
    `tests/bench/speech.py` measures it on others.
    """
    logit = (
        1.58
        - 1.42 * evidence.lag
        - 0.69 * evidence.words_lag
        - 0.43 * evidence.worst_word_lag
        - 0.78 * max(0.0, USUAL_SILENCE_SCORE - evidence.silence_score)
        + 1.44 * evidence.log_frames
        - 5.86 * evidence.loop_distance
    )
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


def distance(some: Sequence[str], others: Sequence[str]) -> float:
    """How many insertions, deletions and replacements make one the other, over the longer one's length."""
    row = list(range(len(others) + 1))
    for i, one in enumerate(some, start=1):
        above, row = row, [i]
        for j, other in enumerate(others):
            row.append(min(above[j] + (one != other), above[j + 1] + 1, row[j] + 1))
    return row[-1] / max(1, len(some), len(others))


class _Input:
    """Frames from a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()

    def read(self, pause_s: float | None) -> tuple[bytes, bytes] | None:
        """The next frame; None when there is none for so long.

        Raises:
            EOFError: The input ended.
        """
        while True:
            if len(self._buffer) >= HEADER.size:
                kind, length = HEADER.unpack_from(self._buffer)
                if length > MAX_FRAME_BYTES:
                    raise EOFError
                end = HEADER.size + length
                if len(self._buffer) >= end:
                    payload = bytes(self._buffer[HEADER.size : end])
                    del self._buffer[:end]
                    return kind, payload
            if pause_s is not None and not select.select([self._descriptor], [], [], pause_s)[0]:
                return None
            data = os.read(self._descriptor, 65536)
            if not data:
                raise EOFError
            self._buffer += data


def _serve(recogniser: Recogniser, source: _Input, sink: int) -> None:
    fresh = False
    while True:
        frame = source.read(PAUSE_S if fresh else None)
        if frame is None:
            fresh = False
            recogniser.judge()
            continue
        kind, payload = frame
        if kind == AUDIO:
            recogniser.feed(payload)
            fresh = True
        elif kind == DISCARD:
            recogniser.discard()
            fresh = False
        elif kind == FINISH:
            text, confidence, from_grammar = recogniser.finish()
            fresh = False
            heard = {"utterance": int(payload), "text": text, "confidence": confidence, "from_grammar": from_grammar}
            _write(sink, encode_frame(HEARD, json.dumps(heard).encode()))
            recogniser.discard()


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


def main() -> None:
    """Serve one session until its end of the pipe closes."""
    source = _Input(0)
    # The frames keep a descriptor of their own, so that nothing the library prints gets between them.
    sink = os.dup(1)
    os.dup2(2, 1)
    try:
        frame = source.read(None)
        if frame is None or frame[0] != SETUP:
            return
        setup = json.loads(frame[1])
        try:
            recogniser = Recogniser(grammar=setup["grammar"], model_dir=setup["model_dir"])
        except SetupError as exc:
            _write(sink, encode_frame(FAILED, str(exc).encode()))
            return
        except ImportError as exc:
            _write(sink, encode_frame(FAILED, f"pocketsphinx is not installed ({exc})".encode()))
            return
        _write(sink, encode_frame(READY))
        _serve(recogniser, source, sink)
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    main()
    sys.exit(0)
