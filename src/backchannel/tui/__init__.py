"""Conversations at a terminal."""

from backchannel.tui.lines import JsonLines, Lines, Notice, ReplyHeard, Screen, ShownEvent
from backchannel.tui.script import Step, When, parse_step
from backchannel.tui.talk import EXIT_INTERRUPTED, TalkOptions, talk

__all__ = [
    "EXIT_INTERRUPTED",
    "JsonLines",
    "Lines",
    "Notice",
    "ReplyHeard",
    "Screen",
    "ShownEvent",
    "Step",
    "TalkOptions",
    "When",
    "parse_step",
    "talk",
]
