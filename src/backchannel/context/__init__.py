"""What a session starts with."""

from backchannel.context.gathering import Gatherer, Gathering
from backchannel.context.language import user_language
from backchannel.context.prompt import default_prompt, user_first_name
from backchannel.context.sections import Line, Part, PartName, Section, Standing, StartupContext
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
    "Gatherer",
    "Gathering",
    "Line",
    "Part",
    "PartName",
    "ResolvedSession",
    "Section",
    "Standing",
    "StartRequest",
    "StartupContext",
    "Way",
    "default_prompt",
    "resolve_session",
    "session_headers",
    "user_first_name",
    "user_language",
]
