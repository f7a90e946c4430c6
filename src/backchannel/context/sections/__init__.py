"""The sections of what a session is told at its start: pure, from what was found to text within a budget."""

from backchannel.context.sections.body import Body, Line, Section, cut, lines, plain, section, time_of
from backchannel.context.sections.current_thread import Turn, current_thread_section, is_contextual, turns_of
from backchannel.context.sections.guidance import GuidanceFile, guidance_section
from backchannel.context.sections.open_work import SeenTests, Working, open_work_section
from backchannel.context.sections.previous_conversation import previous_conversation_section
from backchannel.context.sections.recent_work import MAX_THREADS, RecentThread, recent_work_section
from backchannel.context.sections.repository_state import ChangedFile, RepositoryState, repository_state_section
from backchannel.context.sections.startup_context import (
    Budgets,
    Part,
    PartName,
    Standing,
    StartupContext,
    assemble,
)
from backchannel.context.sections.workspace_map import Tree, WorkspaceMap, workspace_map_section

__all__ = [
    "MAX_THREADS",
    "Body",
    "Budgets",
    "ChangedFile",
    "GuidanceFile",
    "Line",
    "Part",
    "PartName",
    "RecentThread",
    "RepositoryState",
    "Section",
    "SeenTests",
    "Standing",
    "StartupContext",
    "Tree",
    "Turn",
    "Working",
    "WorkspaceMap",
    "assemble",
    "current_thread_section",
    "cut",
    "guidance_section",
    "is_contextual",
    "lines",
    "open_work_section",
    "plain",
    "previous_conversation_section",
    "recent_work_section",
    "repository_state_section",
    "section",
    "time_of",
    "turns_of",
    "workspace_map_section",
]
