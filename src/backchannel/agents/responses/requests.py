"""A request to a model: what it holds, and how it is written.

Source: app-server.md 5.1 and 5.2.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.agents.responses.items import encode_item
from backchannel.agents.responses.metadata import HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.agents.responses.items import Item

__all__ = ["NO_REASONING", "ModelRequest", "encode_request"]

NO_REASONING: Final = "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """What is asked of a model."""

    model: str
    instructions: str
    items: tuple[Item, ...]
    tools: bytes
    """JSON."""
    effort: str | None
    summary: str | None
    output_schema: bytes | None = None
    """JSON; None: the model writes as it likes."""
    thread_id: str
    metadata: str = dataclasses.field(repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Those that say what the request belongs to."""

    def stays_the_same_as(self, other: ModelRequest) -> bool:
        """Whether nothing but the items, and what is said about the turn, differs."""
        return self._setting == other._setting

    @property
    def _setting(self) -> tuple[object, ...]:
        how = (self.model, self.instructions, self.effort, self.summary)
        return (*how, self.tools, self.output_schema, self.thread_id)


def encode_request(
    request: ModelRequest,
    *,
    items: tuple[Item, ...] | None = None,
    previous_response_id: str | None = None,
    over_websocket: bool = False,
    generate: bool = True,
) -> bytes:
    """The body of a request over HTTP, or a message over a websocket.

    Args:
        request: What is asked.
        items: Only these of its items, when the server knows the others.
        previous_response_id: How it knows them.
        over_websocket: Whether it is a message.
        generate: False for a warm-up, which has no answer.
    """
    body: dict[str, object] = {"type": "response.create"} if over_websocket else {}
    body |= {
        "model": request.model,
        "instructions": request.instructions,
        "input": [msgspec.Raw(encode_item(item)) for item in (request.items if items is None else items)],
        "tools": msgspec.Raw(request.tools),
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "store": False,
        "stream": True,
        "prompt_cache_key": request.thread_id,
        "client_metadata": {HEADER: request.metadata},
    }
    if request.effort != NO_REASONING:
        body["include"] = ["reasoning.encrypted_content"]
        summary = None if request.summary == NO_REASONING else request.summary
        wanted = {"effort": request.effort, "summary": summary}
        if reasoning := {name: value for name, value in wanted.items() if value is not None}:
            body["reasoning"] = reasoning
    if request.output_schema is not None:
        schema = {"type": "json_schema", "name": "output", "strict": True, "schema": msgspec.Raw(request.output_schema)}
        body["text"] = {"format": schema}
    if previous_response_id is not None:
        body["previous_response_id"] = previous_response_id
    if not generate:
        body["generate"] = False
    return msgspec.json.encode(body)
