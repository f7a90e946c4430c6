"""Conversations at a terminal."""

from backchannel.tui.configuration import show_config
from backchannel.tui.context import ContextOptions, show_context
from backchannel.tui.keeping import LAST
from backchannel.tui.lines import JsonLines, Lines, Notice, ReplyHeard, Screen, ShownEvent
from backchannel.tui.replay import JsonReport, LinesReport, Pace, check_recording, show_recording
from backchannel.tui.script import Step, When, parse_step
from backchannel.tui.talk import EXIT_INTERRUPTED, TalkOptions, talk
from backchannel.tui.threads import delete_thread, export_thread, list_threads, show_thread

__all__ = [
    "EXIT_INTERRUPTED",
    "LAST",
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
    "delete_thread",
    "export_thread",
    "list_threads",
    "parse_step",
    "show_config",
    "show_context",
    "show_recording",
    "show_thread",
    "talk",
]
