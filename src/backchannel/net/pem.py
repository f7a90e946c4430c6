"""Reads bundles of certificates in PEM form: pure, so that each kind of damage gets a message of its own.

What a bundle may hold: `CERTIFICATE` blocks, OpenSSL's `TRUSTED CERTIFICATE` blocks (a certificate followed by data
about what it is trusted for, which is left out), revocation lists (left out), other blocks and free text (left out).
A block that is cut off or is not base64 makes the whole bundle unusable, since nobody can know what was lost.

Source: RFC 7468 for the text form, X.690 section 8.1.3 for the lengths.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re

__all__ = ["Bundle", "PemError", "read_bundle"]

_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9][A-Z0-9 ]*)-----")
_END = re.compile(r"-----END ([A-Z0-9][A-Z0-9 ]*)-----")

_PLAIN = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
_TRUSTED = "TRUSTED CERTIFICATE"
_REVOCATION = "X509 CRL"


class PemError(Exception):
    """A bundle cannot be read; the text says what is wrong with it, without its name."""

    def __init__(self, reason: str, *, certificate_number: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.certificate_number = certificate_number
        """The first certificate is 1; None when no certificate in particular is to blame."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle holds."""

    certificates: tuple[bytes, ...]
    """DER, in order."""
    n_trusted: int
    """How many came from `TRUSTED CERTIFICATE` blocks."""
    n_revocation_lists: int
    """How many revocation lists were left out."""


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle; bytes that are not text count as free text.

    Raises:
        PemError: A block is damaged, or there is no certificate.
    """
    lines = data.decode("utf-8", errors="replace").splitlines()
    # A file with one trusted block was written by OpenSSL; any other block of it may have such data behind it too.
    has_trusted = any(_label(_BEGIN, line) == _TRUSTED for line in lines)
    certificates: list[bytes] = []
    n_trusted = 0
    n_revocation_lists = 0
    position = 0
    while position < len(lines):
        label = _label(_BEGIN, lines[position])
        position += 1
        if label is None:
            continue
        is_certificate = label in _PLAIN or label == _TRUSTED
        number = len(certificates) + 1 if is_certificate else None
        body, position = _block(lines, position, label=label, number=number)
        if is_certificate:
            der = _first_item(_decode(body, label=label, number=number), number=number, may_trail=has_trusted)
            certificates.append(der)
            n_trusted += label == _TRUSTED
        elif label == _REVOCATION:
            _decode(body, label=label, number=None)
            n_revocation_lists += 1
    if not certificates:
        raise PemError("it holds no certificate" if data.strip() else "it is empty")
    return Bundle(certificates=tuple(certificates), n_trusted=n_trusted, n_revocation_lists=n_revocation_lists)


def _label(pattern: re.Pattern[str], line: str) -> str | None:
    match = pattern.fullmatch(line.strip())
    return None if match is None else match.group(1)


def _block(lines: list[str], position: int, *, label: str, number: int | None) -> tuple[list[str], int]:
    """The lines of a block from its first, and the position behind its end."""
    body: list[str] = []
    while position < len(lines):
        line = lines[position].strip()
        if (end := _label(_END, line)) is not None:
            if end != label:
                raise PemError(f"a {label} block ends as {end}", certificate_number=number)
            return body, position + 1
        if _label(_BEGIN, line) is not None:
            break
        body.append(line)
        position += 1
    raise PemError(f"a {label} block has no end", certificate_number=number)


def _decode(body: list[str], *, label: str, number: int | None) -> bytes:
    try:
        return base64.b64decode("".join(body), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise PemError(f"a {label} block is not valid base64", certificate_number=number) from exc


def _first_item(data: bytes, *, number: int | None, may_trail: bool) -> bytes:
    """The first DER item; behind it there may be data only where the file's kind allows it."""
    length = _item_length(data)
    if length is None or length > len(data) or data[:1] != b"\x30":
        raise PemError("a block is not a certificate (its DER length is wrong)", certificate_number=number)
    if length < len(data) and not may_trail:
        raise PemError(
            f"a certificate is followed by {len(data) - length} bytes that do not belong to it",
            certificate_number=number,
        )
    return data[:length]


def _item_length(data: bytes) -> int | None:
    """The length of the first DER item with its header, or None when there is no valid one."""
    if len(data) < 2:
        return None
    first = data[1]
    if first < 0x80:
        return 2 + first
    n_length_bytes = first & 0x7F
    if n_length_bytes == 0 or len(data) < 2 + n_length_bytes:  # 0 is the indefinite form, which DER forbids
        return None
    return 2 + n_length_bytes + int.from_bytes(data[2 : 2 + n_length_bytes], "big")
