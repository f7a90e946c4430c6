"""Every exception that Backchannel raises on purpose.

    BackchannelError
    ├── UsageError              a person asked for something that does not exist or does not fit
    │   ├── AudioFileError      a file is not audio that we can read
    │   ├── ConfigError         the configuration says what cannot be used: says where, what was expected, what came
    │   ├── TrustError          the bundle of certificates that was configured cannot be used
    │   └── UnknownThread       there is no thread with this id, or not any more
    ├── LocalProtocolError      our own code broke a contract: a bug here
    ├── RemoteProtocolError     the peer sent what its protocol forbids
    ├── ConnectError            a connection could not be made: says the stage and the remedy
    │   └── AuthError           the peer refused who we are
    ├── ConnectionLost          an open connection ended before its time
    ├── ListenError             a server could not take its address
    ├── MissingComponentError   an optional component is not installed
    ├── SpeechError             speech could not be heard or made
    ├── SteerRefused            the agent cannot take this change into its running work
    ├── StoreError              what is kept cannot be read or written: says why and the remedy
    └── RecordingError          a recording cannot be read

The first split is whose fault it was. Each text is a sentence for a person without a traceback: what was expected,
what came, and what to do.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = [
    "AudioFileError",
    "AuthError",
    "BackchannelError",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "ListenError",
    "LocalProtocolError",
    "MissingComponentError",
    "RecordingError",
    "RemoteProtocolError",
    "SpeechError",
    "SteerRefused",
    "StoreError",
    "StoreProblem",
    "TrustError",
    "UnknownThread",
    "UsageError",
]


class BackchannelError(Exception):
    """Base of all errors that Backchannel raises on purpose."""


class UsageError(BackchannelError):
    """A person's request names a thing that does not exist, or combines things that do not fit."""


class AudioFileError(UsageError):
    """A file is not audio that we can read; the text says what was found."""


class ConfigError(UsageError):
    """The configuration, a file or an option, says something that cannot be used."""

    def __init__(
        self, *, source: str, expected: str, got: str, line: int | None = None, key: str | None = None
    ) -> None:
        super().__init__(source, expected, got, line, key)
        self.source = source
        """The file, or `-c`."""
        self.line = line
        """Where in the file, the first line being 1; None where that is not known."""
        self.key = key
        """The key as it was spelt, or the two keys that do not fit; None when it is none in particular."""
        self.expected = expected
        self.got = got
        """What came; never a secret."""

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}, line {self.line}"
        key = "" if self.key is None else f" {self.key}:"
        return f"{place}:{key} expected {self.expected}, got {self.got}"


class TrustError(UsageError):
    """The bundle of certificates that a person configured cannot be used."""

    def __init__(self, *, variable: str, path: str, reason: str, certificate_number: int | None = None) -> None:
        super().__init__(variable, path, reason, certificate_number)
        self.variable = variable
        """The environment variable that chose the bundle."""
        self.path = path
        self.reason = reason
        self.certificate_number = certificate_number
        """Which certificate of the bundle is to blame, the first being 1; None when it is none in particular."""

    def __str__(self) -> str:
        place = "" if self.certificate_number is None else f", certificate {self.certificate_number}"
        return (
            f"the CA bundle {self.path} that {self.variable} names cannot be used{place}: {self.reason}; "
            f"let {self.variable} name a PEM file with at least one CERTIFICATE block, "
            "or unset it to trust the system's roots only"
        )


class UnknownThread(UsageError):
    """There is no thread with this id, or not any more."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(thread_id)
        self.thread_id = thread_id

    def __str__(self) -> str:
        return f"expected the id of a thread that is kept, got {self.thread_id}; `backchannel threads list` shows them"


class LocalProtocolError(BackchannelError):
    """Our own code called a machine in a way its contract forbids."""


class RemoteProtocolError(BackchannelError):
    """The peer sent something its protocol forbids."""


class ConnectError(BackchannelError):
    """A connection could not be made."""

    def __init__(self, *, stage: str, target: str, reason: str, remedy: str, status: int | None = None) -> None:
        super().__init__(stage, target, reason, remedy, status)
        self.stage = stage
        """Where it stopped: `address`, `proxy`, `connect`, `tls`, `handshake`, `request`, `session` or `sideband`."""
        self.target = target
        """The address as a person would recognise it, without credentials."""
        self.reason = reason
        self.remedy = remedy
        self.status = status
        """The HTTP status of a refused handshake, where there was one."""

    def __str__(self) -> str:
        return f"{self.stage} failed for {self.target}: {self.reason}; {self.remedy}"


class AuthError(ConnectError):
    """The peer refused who we are (401 or 403)."""


class ConnectionLost(BackchannelError):
    """An open connection ended before its time."""


class ListenError(BackchannelError):
    """A server could not take its address."""


class MissingComponentError(BackchannelError):
    """An optional component is not installed; the text says how to get it."""


class SpeechError(BackchannelError):
    """Speech could not be heard or made."""


class SteerRefused(BackchannelError):
    """The agent cannot take this change into its running work; the text says why, fit to be spoken."""


class RecordingError(BackchannelError):
    """A recording cannot be read; the text names the line."""


StoreProblem: TypeAlias = Literal["busy", "corrupt", "full", "newer", "unusable"]


class StoreError(BackchannelError):
    """The file in which threads are kept cannot be read or written; what was in it before is still there."""

    def __init__(self, *, problem: StoreProblem, path: str, reason: str, remedy: str) -> None:
        super().__init__(problem, path, reason, remedy)
        self.problem = problem
        """`busy`: another process writes for too long; `corrupt`: it is damaged, or no store; `full`: the disk, or the
        room it may take, is; `newer`: a newer version wrote it; `unusable`: the system does not let us."""
        self.path = path
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"the thread store {self.path} {self.reason}; {self.remedy}"
