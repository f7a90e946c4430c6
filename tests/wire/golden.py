"""Reads the reduced recordings under tests/golden, and reduces what we send in the same way."""

from __future__ import annotations

import json
import pathlib
from typing import Any, Final

import msgspec

__all__ = ["FINAL_LABEL", "PROSE", "SCENARIOS", "Call", "Connection", "Scenario", "load", "reduced"]

FOLDER: Final = pathlib.Path(__file__).parent.parent / "golden"
PROSE: Final = "<prose>"
FINAL_LABEL: Final = "<final label>"
_LABEL: Final = '"Agent Final Message":\n\n'


class Opened(msgspec.Struct):
    """How a websocket was opened."""

    path: str
    query: str
    alpha: str | None = msgspec.field(name="openai-alpha")


class Connection(msgspec.Struct):
    """One websocket."""

    opened: Opened
    sent: list[dict[str, Any]]
    received: list[dict[str, Any] | str]

    @property
    def frames(self) -> list[str]:
        """What was received, as it came."""
        return [frame if isinstance(frame, str) else json.dumps(frame, ensure_ascii=False) for frame in self.received]


class Call(msgspec.Struct):
    """A request that creates a call."""

    method: str
    path: str
    query: str
    body: Any
    headers: dict[str, str]


class Scenario(msgspec.Struct):
    """One recording."""

    scenario: str
    connections: list[Connection] = []
    calls: list[Call] = []
    told: list[dict[str, Any]] = []
    voices: dict[str, Any] = {}


SCENARIOS: Final = sorted(path.stem for path in FOLDER.glob("[0-9]*.json"))


def load(name: str) -> Scenario:
    """The recording of that name."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=Scenario)


def reduced(message: dict[str, Any]) -> dict[str, Any]:
    """A message of ours as it would stand in a recording: prose is taken out."""
    match message:
        case {"type": "session.update", "session": session}:
            return {**message, "session": reduced_session(session)}
        case {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": output} as item}:
            return {**message, "item": {**item, "output": PROSE if output else ""}}
        case {"type": "conversation.handoff.append", "output_text": text}:
            return {**message, "output_text": text.replace(_LABEL, FINAL_LABEL, 1)}
        case _:
            return message


def reduced_session(session: dict[str, Any]) -> dict[str, Any]:
    """A session likewise."""
    if "tools" not in session:
        return session
    tools = json.loads(json.dumps(session["tools"]))
    for tool in tools:
        tool["description"] = PROSE
        for parameter in tool["parameters"]["properties"].values():
            parameter["description"] = PROSE
    return {**session, "tools": tools}
