"""What a session starts with."""

from backchannel.context.prompt import default_prompt, user_first_name
from backchannel.context.session import (
    DEFAULT_ORIGINATOR,
    ResolvedSession,
    StartRequest,
    Way,
    resolve_session,
    session_headers,
)

__all__ = [
    "DEFAULT_ORIGINATOR",
    "ResolvedSession",
    "StartRequest",
    "Way",
    "default_prompt",
    "resolve_session",
    "session_headers",
    "user_first_name",
]
