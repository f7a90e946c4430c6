"""What can be configured.

Source: realtime.md 10, app-server.md 2.1 and 2.3. The meaning of each key stands below it and is what the reference
page prints.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from backchannel.errors import ConfigError
from backchannel.wire.realtime import TOOLS, Mode

__all__ = [
    "CALLED_BY_REFERENCE",
    "MAX_RETRIES",
    "MIN_CONTEXT_TOKENS",
    "OPENAI",
    "Audio",
    "Config",
    "Context",
    "Model",
    "Provider",
    "Realtime",
    "Threads",
]

MAX_RETRIES: Final = 100
"""More are counted as this many."""
MIN_CONTEXT_TOKENS: Final = 500
"""What a session is told at its start has at least so much room."""

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Discreet(msgspec.Struct, frozen=True):
    """Values among which are secrets: what is printed of them are names only."""

    def __repr__(self) -> str:
        given = ", ".join(name for name in self.__struct_fields__ if getattr(self, name))
        return f"{type(self).__name__}({given})"


class Context(_Discreet, frozen=True, kw_only=True):
    """What the voice is told when a session starts."""

    level: Literal["full", "reference"] = "full"
    """`reference`: only the current thread, recent work of our own and the map, as Codex does it."""
    previous_conversation: bool = True
    """How the last conversation in this thread ended, and what was done since."""
    current_thread: bool = True
    """The latest turns of the thread."""
    open_work: bool = True
    """Tasks that run or wait for permission, and the tests that failed last."""
    repository_state: bool = True
    """The branch, and the names of changed files."""
    recent_work: bool = True
    """What was asked lately, by project."""
    codex_sessions: bool = True
    """Whether that includes the sessions that Codex has written down."""
    claude_code_sessions: bool = True
    """Whether that includes the sessions that Claude Code has written down."""
    workspace_map: bool = True
    """The names of files and folders, two levels deep, here, in the repository and in your home."""
    guidance: bool = True
    """Headings and first lines of the project's `AGENTS.md` and `CLAUDE.md`."""
    deadline_ms: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 150
    """How long a session waits for all this, in milliseconds; what is not ready by then is left out."""
    budget: Annotated[int, msgspec.Meta(ge=MIN_CONTEXT_TOKENS)] | None = None
    """How long it may be, in estimated tokens; when it is left out, each part has its own bound and the whole about
    7300."""


class Realtime(_Discreet, frozen=True, kw_only=True):
    """The realtime session."""

    backend: str | None = None
    """Whose voice: `local`, `openai`, or the address of a server. When it is left out: the server of `base_url` or the
    provider of `model_provider` where one of them is given, else `local`."""
    version: Literal["v1", "v2", "v3", "live"] | None = None
    """The protocol of the realtime server; v2 when it is left out. The local engine speaks v2 whatever stands here."""
    type: Mode = Mode.CONVERSATIONAL
    """Whether the voice answers, or only writes down what is said."""
    transport: Literal["websocket", "webrtc"] | None = None
    """How a client that has the choice reaches the server."""
    voice: _Text | None = None
    """The voice that answers; the protocol's own when it is left out."""
    model: _Text | None = None
    """The realtime model; the protocol's own when it is left out."""
    base_url: str | None = None
    """Where websockets are opened, those of sessions and those beside calls, instead of at the provider."""
    call_base_url: str | None = None
    """Where WebRTC calls are created instead of at the provider."""
    prompt: str | None = None
    """The instructions of the voice. They win over those that a client sends; blank ones count as left out."""
    startup_context: str | None = None
    """What the voice is told of the past and the project, instead of what is gathered; empty for nothing."""
    start_instructions: str | None = None
    """What the agent is told when a conversation begins, instead of our own words."""
    end_instructions: str | None = None
    """What the agent is told when a conversation ends, instead of our own words."""
    tools: tuple[str, ...] = tuple(TOOLS)
    """What the voice may call."""
    mirror_typed_text: bool = True
    """Whether the voice is told what you type to the agent."""
    reconnect: bool = True
    """Whether a conversation survives the loss of its connection."""
    give_up_after_s: Annotated[int, msgspec.Meta(ge=0)] = 600
    """How long a lost connection is tried to be made again, in seconds."""
    rotate_after_s: Annotated[int, msgspec.Meta(ge=0)] = 3300
    """After how many seconds a session is followed by a new one, in a moment of quiet, before the server ends it; 0:
    never."""
    on_screen_risks: tuple[Literal["delete", "force_push", "network", "outside_workspace"], ...] = (
        "delete",
        "force_push",
        "network",
        "outside_workspace",
    )
    """What the agent asks permission for is never allowed by voice, only on the screen, when it could do this."""
    approval_expires_s: Annotated[int, msgspec.Meta(ge=1)] = 300
    """How long a request of the agent for permission may wait before it counts as declined, in seconds."""
    errors: Literal["classified", "fatal"] = "classified"
    """Whether harmless errors of the server are only shown, or every one ends the conversation."""
    speech: Literal["silent", "results", "milestones", "chatty", "immediate"] = "milestones"
    """Of what the voice speaks unasked; `immediate`: of everything, without waiting for quiet."""
    context: Context = Context()
    """What the voice is told when a session starts: `[realtime.context]`, or just a `level`."""
    quiet_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 700
    """How long nobody has spoken before the voice speaks unasked, in milliseconds."""


CALLED_BY_REFERENCE: Final = {
    "experimental_realtime_ws_base_url": "base_url",
    "experimental_realtime_webrtc_call_base_url": "call_base_url",
    "experimental_realtime_ws_model": "model",
    "experimental_realtime_ws_backend_prompt": "prompt",
    "experimental_realtime_ws_startup_context": "startup_context",
    "experimental_realtime_start_instructions": "start_instructions",
    "experimental_realtime_ws_mode": "type",
}
"""The other spelling, at top level, of keys under `[realtime]`."""


class Audio(_Discreet, frozen=True, kw_only=True):
    """The devices."""

    microphone: _Text | None = None
    """Its name; the system's default when it is left out."""
    speaker: _Text | None = None
    """Its name; the system's default when it is left out."""
    microphone_channel: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """The channel that is listened to, the first being 1; all of them together when it is left out."""


class Threads(_Discreet, frozen=True, kw_only=True):
    """What is kept of conversations."""

    store: bool = True
    """Whether `talk` keeps them, so that they can be found and resumed."""


class Model(_Discreet, frozen=True, kw_only=True):
    """The agent that works with a language model: which one, and what it may do. The keys stand at top level."""

    model: _Text | None = None
    """The model that does the work, as the provider calls it. OpenAI has a default; another provider has none."""
    model_reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    """How long it thinks; the model's own choice when it is left out."""
    model_reasoning_summary: Literal["auto", "concise", "detailed", "none"] | None = None
    """How much it tells of what it thinks, where the provider lets it; nothing is asked for when it is left out."""
    approval_policy: Literal["untrusted", "on-request", "on-failure", "never"] = "on-request"
    """When you are asked for permission: `untrusted`, before everything that does more than read; `on-request`
    (`on-failure` means the same), before what the sandbox would not let happen; `never`, not at all: what would need it
    is declined."""
    sandbox_mode: Literal["read-only", "workspace-write", "danger-full-access"] = "workspace-write"
    """What its commands can do without permission: read; also write in the folder it works in; or everything, without
    a sandbox."""
    base_instructions: str | None = None
    """What it is told before everything else, in the place of our own instructions."""
    developer_instructions: str | None = None
    """What it is told besides."""


class Provider(_Discreet, frozen=True, kw_only=True):
    """A service that has models."""

    id: str
    """What the configuration calls it."""
    name: str = ""
    """What a person calls it. One with the name `OpenAI` may be sent the key in `OPENAI_API_KEY`."""
    base_url: str = "https://api.openai.com/v1"
    """Where it is; OpenAI when it is left out."""
    env_key: _Text | None = None
    """The environment variable that has its key."""
    env_key_instructions: str | None = None
    """How to come by that key, for the message that it is missing."""
    experimental_bearer_token: _Text | None = None
    """The key itself."""
    query_params: dict[str, str] = {}
    """Further parameters of every address."""
    http_headers: dict[str, str] = {}
    """Further headers of every request. Those that no request can carry are left out."""
    env_http_headers: dict[str, str] = {}
    """The same, from environment variables: the header's name and the variable's, where that is set and not blank."""
    request_max_retries: Annotated[int, msgspec.Meta(ge=0)] = 4
    """How often a request is tried again, at most 100 times."""
    stream_max_retries: Annotated[int, msgspec.Meta(ge=0)] = 5
    """How often an answer of a model that broke off is asked for again, at most 100 times."""
    stream_idle_timeout_ms: Annotated[int, msgspec.Meta(ge=1)] = 300_000
    """How long an answer of a model may pause before it counts as broken off, in milliseconds."""
    websocket_connect_timeout_ms: Annotated[int, msgspec.Meta(ge=1)] = 15_000
    """How long opening a websocket to a model may take, in milliseconds."""
    requires_openai_auth: bool = False
    """Whether models, and calls over WebRTC, are sent the key that you logged in with."""
    supports_websockets: bool = False
    """Whether models are reached over a websocket, which is quicker, with HTTP where that fails."""
    wire_api: str = "responses"
    """The protocol of its models, of which there is one: `responses`."""

    @property
    def is_openai(self) -> bool:
        """Whether OpenAI's key from the environment is meant for it."""
        return self.name == "OpenAI"


OPENAI: Final = Provider(
    id="openai",
    name="OpenAI",
    env_http_headers={"OpenAI-Organization": "OPENAI_ORGANIZATION", "OpenAI-Project": "OPENAI_PROJECT"},
    requires_openai_auth=True,
    supports_websockets=True,
)
"""The provider that needs no definition."""


class Config(_Discreet, frozen=True, kw_only=True):
    """Everything that was configured."""

    source: str | None = None
    """The file that was read; None when there is none."""
    realtime: Realtime = Realtime()
    model: Model = Model()
    audio: Audio = Audio()
    threads: Threads = Threads()
    model_provider: str | None = None
    """The id of the provider, `openai` or one of `providers`; None when nobody has chosen."""
    providers: dict[str, Provider] = {}
    notices: tuple[str, ...] = ()
    """What a person should be told about the configuration: each a sentence."""

    @property
    def provider(self) -> Provider:
        """The chosen provider, else OpenAI.

        Raises:
            ConfigError: Nobody has defined it.
        """
        if self.model_provider in (None, OPENAI.id):
            return OPENAI
        provider = self.providers.get(self.model_provider)
        if provider is None:
            raise ConfigError(
                source=self.source or "-c",
                key="model_provider",
                expected=f"{OPENAI.id}, or a provider that is defined as [model_providers.{self.model_provider}]",
                got=repr(self.model_provider),
            )
        return provider
