"""Conversations at a terminal."""

from backchannel.tui.context import ContextOptions, show_context
from backchannel.tui.lines import JsonLines, Lines, Notice, ReplyHeard, Screen, ShownEvent
from backchannel.tui.replay import JsonReport, LinesReport, Pace, check_recording, show_recording
from backchannel.tui.script import Step, When, parse_step
from backchannel.tui.talk import EXIT_INTERRUPTED, TalkOptions, talk

__all__ = [
    "EXIT_INTERRUPTED",
    "ContextOptions",
    "JsonLines",
    "JsonReport",
    "Lines",
    "LinesReport",
    "Notice",
    "Pace",
    "ReplyHeard",
    "Screen",
    "ShownEvent",
    "Step",
    "TalkOptions",
    "When",
    "check_recording",
    "parse_step",
    "show_context",
    "show_recording",
    "talk",
]
