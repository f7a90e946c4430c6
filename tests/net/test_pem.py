from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.net.pem import PemError, read_bundle

if TYPE_CHECKING:
    import trustme


def block(label: str, der: bytes) -> bytes:
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), base64.encodebytes(der), label.encode())


SHORT = b"\x30\x03abc"
LONG = b"\x30\x82\x01\x00" + bytes(256)


def test_certificates_in_order_among_other_things() -> None:
    data = (
        b"\xef\xbb\xbfSome authority\n=====\n"
        + block("CERTIFICATE", SHORT)
        + b"subject=/CN=Z\xfcrich\r\n"
        + block("X509 CRL", b"anything")
        + block("PRIVATE KEY", b"not looked at")
        + block("CERTIFICATE", LONG).replace(b"\n", b"\r\n")
    )
    bundle = read_bundle(data)
    assert bundle.certificates == (SHORT, LONG)
    assert (bundle.n_trusted, bundle.n_revocation_lists) == (0, 1)


def test_trusted_blocks_lose_what_follows_the_certificate_in_the_whole_file() -> None:
    data = block("CERTIFICATE", SHORT + b"extra") + block("TRUSTED CERTIFICATE", LONG + b"\x30\x01x")
    bundle = read_bundle(data)
    assert bundle.certificates == (SHORT, LONG)
    assert bundle.n_trusted == 1


def test_a_real_certificate(authority: trustme.CA) -> None:
    (der,) = read_bundle(authority.cert_pem.bytes()).certificates
    assert block("CERTIFICATE", der).replace(b"\n", b"") == authority.cert_pem.bytes().replace(b"\n", b"")


@pytest.mark.parametrize(
    ("data", "reason", "number"),
    [
        (b"", "it is empty", None),
        (b" \n", "it is empty", None),
        (b"hello", "it holds no certificate", None),
        (block("X509 CRL", b"x"), "it holds no certificate", None),
        (block("CERTIFICATE", SHORT) + b"-----BEGIN CERTIFICATE-----\nMAMA\n", "has no end", 2),
        (b"-----BEGIN CERTIFICATE-----\n" + block("CERTIFICATE", SHORT), "has no end", 1),
        (b"-----BEGIN CERTIFICATE-----\nMAMA\n-----END X509 CRL-----\n", "ends as X509 CRL", 1),
        (b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "not valid base64", 1),
        (b"-----BEGIN CERTIFICATE-----\nMAM\n-----END CERTIFICATE-----\n", "not valid base64", 1),
        ("-----BEGIN CERTIFICATE-----\nMÄMA\n-----END CERTIFICATE-----\n".encode(), "not valid base64", 1),
        (
            block("CERTIFICATE", SHORT) + b"-----BEGIN X509 CRL-----\n?\n-----END X509 CRL-----\n",
            "not valid base64",
            None,
        ),
        (block("CERTIFICATE", SHORT) + block("X509 CRL", b"x").rpartition(b"-----END")[0], "has no end", None),
        (block("CERTIFICATE", b""), "DER length is wrong", 1),
        (block("CERTIFICATE", b"\x30"), "DER length is wrong", 1),
        (block("CERTIFICATE", b"\x30\x80\x00\x00"), "DER length is wrong", 1),
        (block("CERTIFICATE", b"\x30\x84\x01"), "DER length is wrong", 1),
        (block("CERTIFICATE", SHORT[:-1]), "DER length is wrong", 1),
        (block("CERTIFICATE", b"\x04" + SHORT[1:]), "DER length is wrong", 1),
        (block("TRUSTED CERTIFICATE", SHORT) + block("TRUSTED CERTIFICATE", LONG[:-1]), "DER length is wrong", 2),
        (block("CERTIFICATE", SHORT) + block("CERTIFICATE", SHORT + b"12345"), "followed by 5 bytes", 2),
    ],
)
def test_damage_is_named(data: bytes, reason: str, number: int | None) -> None:
    with pytest.raises(PemError) as caught:
        read_bundle(data)
    assert reason in caught.value.reason
    assert caught.value.certificate_number == number


@given(
    st.binary()
    | st.binary().map(lambda der: block("CERTIFICATE", der))
    | st.binary().map(lambda d: block("X509 CRL", d))
)
def test_any_bytes_give_a_bundle_or_the_typed_error(data: bytes) -> None:
    with contextlib.suppress(PemError):
        assert read_bundle(data).certificates
