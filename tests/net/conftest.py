from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from backchannel.net import SystemRoots, make_tls_context

if TYPE_CHECKING:
    import pathlib


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A private certificate authority."""
    return trustme.CA()


@pytest.fixture(scope="session")
def other_authority() -> trustme.CA:
    return trustme.CA(organization_name="Another authority")


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def client_tls(bundle: pathlib.Path) -> ssl.SSLContext:
    """Trusts the private authority, and no other."""
    return make_tls_context({"BACKCHANNEL_CA_CERTIFICATE": str(bundle)}, roots=SystemRoots())


@pytest.fixture
def other_client_tls() -> ssl.SSLContext:
    """Trusts nobody."""
    return make_tls_context({}, roots=SystemRoots())
