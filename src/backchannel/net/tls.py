"""Whom we trust: the one place that makes TLS contexts, for https and wss alike.

The policy. The first of `BACKCHANNEL_CA_CERTIFICATE`, `CODEX_CA_CERTIFICATE` and `SSL_CERT_FILE` that is set and not
empty names a bundle of certificates in PEM form, and they are trusted *in addition to* the system's roots. A bundle
that cannot be used is an error, never silently left out.

OpenSSL itself reads `SSL_CERT_FILE` and lets it replace the roots (with nothing, when the file is empty). So the
system's roots are loaded by us from where they are, whatever the process's environment says; `SSL_CERT_DIR` is not
looked at. Where roots are no files (Windows, and macOS with what its keychain holds), the platform verifies, through
the optional package truststore; without it, the roots that Python finds there have to do.

Verification is what most tools do: host names are checked, TLS is 1.2 or newer, a certificate of the bundle counts as
trusted also when it is an intermediate one, and certificates that are merely sloppy (RFC 5280 strictness, which Python
3.13 turns on by default and many company authorities fail) are accepted on every Python version.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import pathlib
import ssl
import sys
from typing import TYPE_CHECKING

from backchannel.errors import TrustError
from backchannel.net.pem import Bundle, PemError, read_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CA_VARIABLES", "SystemRoots", "find_system_roots", "make_tls_context"]

CA_VARIABLES = ("BACKCHANNEL_CA_CERTIFICATE", "CODEX_CA_CERTIFICATE", "SSL_CERT_FILE")
"""Strongest first."""

_MAX_BUNDLE_BYTES = 32 * 1024 * 1024
"""A file larger than this is no bundle (all public roots together take a quarter of a megabyte)."""

_ROOT_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/pki/tls/certs/ca-bundle.crt",  # older Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS, BSD
)

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SystemRoots:
    """Where this system keeps the certificates that it trusts."""

    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    """In OpenSSL's form: one file for each certificate, named by a hash, read when it is needed."""
    platform: bool = False
    """Let the platform decide, through truststore; the files and directories are for where that is not installed."""


def find_system_roots() -> SystemRoots:
    """Find the system's roots without a look at the environment.

    The paths that OpenSSL was built with come first, then those that the distributions use: a Python that was built
    elsewhere often has paths that do not exist here.
    """
    if sys.platform == "win32":
        return SystemRoots(platform=True)
    built_in = ssl.get_default_verify_paths()
    on_disk = _roots_on_disk(built_in)
    return dataclasses.replace(on_disk, platform=sys.platform == "darwin")


def _roots_on_disk(built_in: ssl.DefaultVerifyPaths) -> SystemRoots:
    directories = (built_in.openssl_capath,) if _has_hashed_names(built_in.openssl_capath) else ()
    if pathlib.Path(built_in.openssl_cafile).is_file():
        return SystemRoots(files=(built_in.openssl_cafile,), directories=directories)
    if directories:
        return SystemRoots(directories=directories)
    return SystemRoots(files=tuple(path for path in _ROOT_FILES if pathlib.Path(path).is_file())[:1])


def make_tls_context(env: Mapping[str, str], *, roots: SystemRoots | None = None) -> ssl.SSLContext:
    """Make a TLS context for clients by the policy of this module.

    It reads files: on an event loop, call it through `asyncio.to_thread`. The context may be shared by any number of
    connections, and a caller with wishes of its own may change it or make another one.

    Args:
        env: The environment.
        roots: The system's roots; None to look for them.

    Raises:
        TrustError: The bundle that the environment names cannot be used.
    """
    roots = find_system_roots() if roots is None else roots
    by_platform = _platform_context() if roots.platform else None
    context = by_platform or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    if by_platform is None:
        _load_roots(context, roots)
    for variable in CA_VARIABLES:
        if path := env.get(variable, ""):
            _add_bundle(context, variable=variable, path=path)
            break
    return context


def _platform_context() -> ssl.SSLContext | None:
    """A context that asks the platform whom to trust, besides what is loaded into it; None without truststore."""
    try:
        truststore = importlib.import_module("truststore")
    except ImportError:
        _log.debug("= truststore is not installed; the platform is not asked whom to trust")
        return None
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


def _has_hashed_names(directory: str) -> bool:
    """Whether a directory is one that OpenSSL can look certificates up in (an empty one must not hide other roots)."""
    try:
        return any(entry.suffix == ".0" for entry in pathlib.Path(directory).iterdir())
    except OSError:
        return False


def _load_roots(context: ssl.SSLContext, roots: SystemRoots) -> None:
    if roots.platform and not (roots.files or roots.directories):
        context.load_default_certs()
    for place in (*roots.files, *roots.directories):
        try:
            if place in roots.files:
                context.load_verify_locations(cafile=place)
            else:
                context.load_verify_locations(capath=place)
        except (OSError, ssl.SSLError) as exc:
            # Not chosen by the person and perhaps not needed: a server that cannot be verified will say so.
            _log.warning("! the system's root certificates in %s cannot be read: %s", place, exc)
    if roots == SystemRoots():
        _log.warning("! no root certificates were found on this system")


def _add_bundle(context: ssl.SSLContext, *, variable: str, path: str) -> None:
    bundle = _read(variable=variable, path=path)
    for number, der in enumerate(bundle.certificates, start=1):
        try:
            context.load_verify_locations(cadata=der)
        except ssl.SSLError as exc:
            raise TrustError(
                variable=variable,
                path=path,
                reason=f"it cannot be parsed ({exc.reason or exc})",
                certificate_number=number,
            ) from exc
    _log.info("= %d certificates of %s (%s) are trusted too", len(bundle.certificates), path, variable)
    if bundle.n_trusted:
        _log.info("= %d of them were TRUSTED CERTIFICATE blocks, read as plain ones", bundle.n_trusted)
    if bundle.n_revocation_lists:
        _log.info("= %d revocation lists in %s were left out", bundle.n_revocation_lists, path)


def _read(*, variable: str, path: str) -> Bundle:
    try:
        with pathlib.Path(path).open("rb") as file:
            data = file.read(_MAX_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as exc:  # ValueError: a null byte in the path
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise TrustError(variable=variable, path=path, reason=f"it cannot be read ({reason.lower()})") from exc
    if len(data) > _MAX_BUNDLE_BYTES:
        raise TrustError(
            variable=variable, path=path, reason=f"it is larger than {_MAX_BUNDLE_BYTES // 2**20} MiB, no bundle is"
        )
    try:
        return read_bundle(data)
    except PemError as exc:
        raise TrustError(
            variable=variable, path=path, reason=exc.reason, certificate_number=exc.certificate_number
        ) from exc
