"""Makes broken inputs out of good ones, for `fuzz.py`: the same ones for the same random numbers.

Three ways to break an input, each as often as it finds something new: bytes are changed, cut out, doubled or put in;
a JSON document is changed in its structure and written down again; and what no JSON library writes (numbers of
thousands of digits, deep nesting, half a surrogate pair, bytes that are no UTF-8) is put in the place of a value.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["MARK", "MAX_BYTES", "mutated"]

MARK: Final = "planted-fuzz"
"""Stands in the place of values, where a reason must not quote it."""
MAX_BYTES: Final = 64 * 1024
"""Longer inputs find nothing that shorter ones do not, and take their time."""

_HOLE: Final = "\x02hole\x03"
_HOLE_BYTES: Final = json.dumps(_HOLE).encode()

_WEDGES: Final = (
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u", b"\\ud800", b"\\udc00", b"\xed\xa0\x80", b"\xff", b"\xc3",
    b"\x00", b"\n", b"\r\n", b"\xef\xbb\xbf", b"null", b"true", b"-", b"-0", b"1e999", b"1E-999", b"0.1",
    b"/", b"..", b"?", b"#", b"@", b"%", b"%2f", b"%zz", b"//", b"=", b"&", b"<", b"&lt;", b"rtc_", b"-----BEGIN ",
    b"9" * 4400, b"[" * 2000, "é\N{SLIGHTLY SMILING FACE}\u2028".encode(),
)  # fmt: skip
_PLAIN: Final[tuple[object, ...]] = (
    None, True, False, 0, -1, 1, 255, 65_535, 65_536, 2**32 - 1, 2**32, 2**63, -(2**63), 2**64, 10**400, 0.5, -0.0,
    "", " ", "0", MARK, "background_agent", "remain_silent", "function_call", "input_text", "delegation", "client",
    "user", '{"prompt":"go on"}', "{", "\ud800", "\udcff", "a\x00b", [], {}, [[]], [None], {"": ""}, {"id": MARK},
)  # fmt: skip


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """An input that comes of one of the seeds, or of two; rarely as it is."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 6))):
        data = rng.choice(_WAYS)(data, seeds, rng)
    return data[:MAX_BYTES]


def _cut(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _trailing(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    return data + rng.choice((b" ", b"\n", b"}", b"]", b"\x00", b"\xff", b"x", rng.choice(seeds)))


def _without_a_part(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _doubled_part(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 50)) + data[end:]


def _other_bytes(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _n in range(rng.randint(1, 4)):
        if changed:
            place = rng.randrange(len(changed))
            changed[place] = rng.randrange(256) if rng.random() < 0.5 else changed[place] ^ (1 << rng.randrange(8))
    return bytes(changed)


def _wedge(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    start, end = _span(data, rng) if rng.random() < 0.5 else (rng.randint(0, len(data)),) * 2
    wedge = rng.choice(_WEDGES) if rng.random() < 0.8 else rng.randbytes(rng.randint(1, 8))
    return data[:start] + wedge + data[end:]


def _spliced(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    other = rng.choice(seeds)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _repeated_keys(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Two objects in one, so that keys come twice."""
    return data.rstrip()[:-1] + b"," + rng.choice(seeds).lstrip()[1:]


def _rebuilt(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Another structure: something is replaced, left out, renamed, wrapped, or comes from another input."""
    try:
        document = json.loads(data)
        other = json.loads(rng.choice(seeds))
    except (ValueError, RecursionError):
        return _wedge(data, seeds, rng)
    for _ in range(rng.randint(1, 3)):
        document = _restructured(document, other, rng)
    try:
        written = json.dumps(document, separators=(",", ":"), ensure_ascii=rng.random() < 0.5)
    except (ValueError, RecursionError):  # a number of too many digits, a nesting that is too deep
        return _wedge(data, seeds, rng)
    return _filled(written.encode("utf-8", "surrogatepass"), rng)


def _restructured(document: object, other: object, rng: random.Random) -> object:
    place: object = document
    path: list[tuple[dict[str, object] | list[object], str | int]] = []
    while isinstance(place, dict | list) and place and (not path or rng.random() < 0.6):
        key: str | int = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        path.append((place, key))
        place = place[key]  # type: ignore[index]  # the key is the container's own
    if not path:
        return _value(document, other, rng)
    holder, key = path[-1]
    match rng.randrange(5):
        case 0:
            del holder[key]  # type: ignore[arg-type]  # as above
        case 1 if isinstance(holder, dict) and isinstance(other, dict) and other:
            holder[rng.choice(list(other))] = place
        case 2:
            holder[key] = rng.choice(([place], {"x": place}, [place, place], {str(key): place}))  # type: ignore[index]
        case _:
            holder[key] = _value(place, other, rng)  # type: ignore[index]  # as above
    return document


def _value(old: object, other: object, rng: random.Random) -> object:
    match rng.randrange(6):
        case 0:
            return _HOLE
        case 1:
            return rng.choice(list(other.values())) if isinstance(other, dict) and other else other
        case 2 if isinstance(old, str):
            return old + rng.choice(("\ud800", "\x00", "=", "é", MARK, old * 20))
        case _:
            return copy.deepcopy(rng.choice(_PLAIN))  # what is changed later must not be changed for all


def _filled(written: bytes, rng: random.Random) -> bytes:
    """What no JSON library writes, in the place of what stands for it."""
    while _HOLE_BYTES in written:
        written = written.replace(_HOLE_BYTES, _unwritable(rng), 1)
    return written


def _unwritable(rng: random.Random) -> bytes:
    match rng.randrange(8):
        case 0:
            return b"9" * rng.choice((19, 20, 40, 310, 4300, 4301, 6000))
        case 1:
            depth = rng.choice((10, 100, 900, 990, 999, 1000, 1001, 1024, 3000))
            return b"[" * depth + b"]" * depth
        case 2:
            return b'{"a":' * 1000 + b"1" + b"}" * rng.choice((1000, 999))
        case 3:
            return b'"' + rng.choice((b"\xff", b"\xed\xa0\x80", b"\xc3", b"\x00", b"\\ud800", b"\\udc00\\ud800")) + b'"'
        case 4:
            return rng.choice((b"1e999", b"-1e999", b"1e-999", b"-0", b"00", b"1.", b".5", b"+1", b"0x1"))
        case 5:
            return rng.choice((b"NaN", b"Infinity", b"undefined", b"None", b"'x'", b""))
        case 6:
            return b'{"type":"' + MARK.encode() + b'","type":5,"id":"a","id":"b"}'
        case _:
            return b'"' + b"x" * rng.choice((499, 500, 501, 4000, 30_000)) + b'"'


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.randint(0, rng.choice((1, 4, 20, 200))))


_WAYS: Final = (
    _cut,
    _trailing,
    _without_a_part,
    _doubled_part,
    _other_bytes,
    _other_bytes,
    _wedge,
    _wedge,
    _spliced,
    _repeated_keys,
    *[_rebuilt] * 8,
)
