"""Looking at what lies where, in threads of its own: folders, repositories, files for agents, sessions of others."""

from backchannel.context.scans.guidance import read_guidance
from backchannel.context.scans.repository import Project, branch_of, find_project, read_state
from backchannel.context.scans.running import Found, GaveUp, Scan, Scans, Stop, ready
from backchannel.context.scans.session_logs import ClaudeCodeLogs, CodexLogs, SessionLogs
from backchannel.context.scans.trees import look_into
from backchannel.context.scans.workers import Workers

__all__ = [
    "ClaudeCodeLogs",
    "CodexLogs",
    "Found",
    "GaveUp",
    "Project",
    "Scan",
    "Scans",
    "SessionLogs",
    "Stop",
    "Workers",
    "branch_of",
    "find_project",
    "look_into",
    "read_guidance",
    "read_state",
    "ready",
]
