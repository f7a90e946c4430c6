"""What a realtime session is told about itself: instructions, voice, modality, tools.

Source: realtime.md 1.1 and 1.7.
"""

from __future__ import annotations

import enum
from typing import Final, Literal, TypeAlias

import msgspec

__all__ = ["TOOLS", "InitialItem", "Modality", "Mode", "Role", "SessionSettings", "Tool", "ToolParameter"]

Role: TypeAlias = Literal["user", "developer", "assistant"]
"""Who says something in a conversation."""


class Mode(enum.Enum):
    """What a session is for."""

    CONVERSATIONAL = "conversational"
    """The voice answers."""
    TRANSCRIPTION = "transcription"
    """It only writes down what is said. Dialects without it (`Abilities.transcribes`) have a conversation instead."""


class Modality(enum.Enum):
    """What the voice answers in."""

    AUDIO = "audio"
    TEXT = "text"


class ToolParameter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One parameter of a tool, a required string."""

    name: str
    description: str
    choices: tuple[str, ...] = ()
    """What it may be; empty: anything."""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the voice may call."""

    name: str
    description: str
    parameters: tuple[ToolParameter, ...] = ()


class InitialItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was said before the session began."""

    role: Role
    text: str


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one session. Whether they fit a dialect, `check_session` says."""

    instructions: str
    """The finished text; may be empty."""
    voice: str
    model: str | None = None
    """None is the dialect's own. Said in the address or in the session, as the dialect has it."""
    mode: Mode = Mode.CONVERSATIONAL
    modality: Modality = Modality.AUDIO
    tools: tuple[Tool, ...] = ()
    initial_items: tuple[InitialItem, ...] = ()
    ack_filler: bool | None = None
    """Whether the voice fills the moment after a delegation with a word or two (v3); None leaves it to the server."""
    session_id: str | None = None
    """Goes into the header `x-session-id`, never into a message."""


TOOLS: Final[dict[str, Tool]] = {
    tool.name: tool
    for tool in (
        Tool(
            name="background_agent",
            description=(
                "Hand something to the background agent, who has the user's project at hand and does the work. Call"
                " this for every request, question or remark about the project or the work, unless another tool fits"
                " exactly. Pass on what the user said in the user's own words: add nothing, leave nothing out, do not"
                " interpret. When no task is running this starts one. While a task is running the same call changes or"
                " extends it, so use it too for corrections and for things to be done later or next."
            ),
            parameters=(ToolParameter(name="prompt", description="What the user asks for, in the user's own words."),),
        ),
        Tool(
            name="remain_silent",
            description=(
                "Say nothing this time. Choose it after a message that was only for your information, when an update is"
                " not worth interrupting for, or when what was heard was not meant for you. Nothing is shown or heard."
            ),
        ),
        Tool(
            name="agent_status",
            description=(
                "Look up what the background agent is doing right now. Choose it when the user asks how the work is"
                " going or whether it is done; it does not disturb the work. Answer from what it returns."
            ),
        ),
        Tool(
            name="stop_agent",
            description=(
                "Stop the task that the background agent is working on. Choose it when the user wants the work to stop:"
                " stop, cancel that, never mind."
            ),
        ),
        Tool(
            name="answer_approval",
            description=(
                "Pass on the user's answer when the background agent has asked for permission and you have put the"
                " question to the user. Choose it only after the user has answered that very question, and only with"
                " what the user said: a doubt, a condition or another wish is no answer, so ask again instead. The"
                " user's own words decide; a permission that they do not give is not given by this call."
            ),
            parameters=(
                ToolParameter(name="approval_id", description="The id that stands in the agent's request."),
                ToolParameter(name="decision", description="What the user decided.", choices=("approve", "decline")),
            ),
        ),
        Tool(
            name="set_updates",
            description=(
                "Change how much you are asked to say unasked while work goes on. Choose it when the user wants more or"
                " fewer updates: silent is none, results only outcomes, milestones also important steps, chatty"
                " everything the agent says."
            ),
            parameters=(
                ToolParameter(
                    name="level",
                    description="How much the user wants to hear.",
                    choices=("silent", "results", "milestones", "chatty"),
                ),
            ),
        ),
    )
}
"""The tools of the voice by name, in the order in which they are offered. The names and the parameter's name are part
of the protocol (realtime.md 1.7); the descriptions are ours."""
