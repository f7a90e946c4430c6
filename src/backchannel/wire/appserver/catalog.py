"""What there is to choose from: models and features.

Source: app-server.md 2.2; the reference's own schema.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Raw, field

from backchannel.wire.appserver.settings import ReasoningEffort
from backchannel.wire.appserver.shapes import U32, Int64, Params, Shape, null

__all__ = [
    "ExperimentalFeature",
    "ExperimentalFeatureListParams",
    "ExperimentalFeatureListResponse",
    "ExperimentalFeatureStage",
    "InputModality",
    "Model",
    "ModelAvailabilityNux",
    "ModelListParams",
    "ModelListResponse",
    "ModelServiceTier",
    "ModelUpgradeInfo",
    "ReasoningEffortOption",
]

InputModality: TypeAlias = Literal["text", "image", "audio"]
ExperimentalFeatureStage: TypeAlias = Literal["beta", "underDevelopment", "stable", "deprecated", "removed"]


class ModelListParams(Params, frozen=True, kw_only=True):
    """Ask for the models of the background agent."""

    model_provider: str | None = None
    cursor: str | None = None
    limit: U32 | None = None
    include_hidden: bool | None = None


class ReasoningEffortOption(Shape, frozen=True, kw_only=True):
    """How hard a model can think."""

    reasoning_effort: ReasoningEffort
    description: str


class ModelUpgradeInfo(Shape, frozen=True, kw_only=True):
    """The model that takes another one's place."""

    model: str
    upgrade_copy: str | None = None
    model_link: str | None = None
    migration_markdown: str | None = None
    retirement_at: Int64 | None = None
    """Unix seconds."""


class ModelAvailabilityNux(Shape, frozen=True, kw_only=True):
    """What a person is told about a new model."""

    message: str


class ModelServiceTier(Shape, frozen=True, kw_only=True):
    """How fast a model can be had."""

    id: str
    name: str
    description: str


class Model(Shape, frozen=True, kw_only=True):
    """A model."""

    id: str
    model: str
    upgrade: str | None = None
    upgrade_info: ModelUpgradeInfo | None = None
    availability_nux: ModelAvailabilityNux | None = None
    display_name: str
    description: str
    model_specialty: str | None = None
    hidden: bool = False
    supported_reasoning_efforts: tuple[ReasoningEffortOption, ...] = ()
    default_reasoning_effort: ReasoningEffort
    input_modalities: tuple[InputModality, ...] = ("text", "image")
    supports_personality: bool = False
    multi_agent_version: Literal["disabled", "v1", "v2"] | None = None
    additional_speed_tiers: tuple[str, ...] = ()
    service_tiers: tuple[ModelServiceTier, ...] = ()
    default_service_tier: str | None = None
    available_access_programs: Raw = field(default_factory=null)
    is_default: bool


class ModelListResponse(Shape, frozen=True, kw_only=True):
    """A page of models."""

    data: tuple[Model, ...]
    next_cursor: str | None = None


class ExperimentalFeatureListParams(Params, frozen=True, kw_only=True):
    """Ask which features there are."""

    cursor: str | None = None
    limit: U32 | None = None
    thread_id: str | None = None


class ExperimentalFeature(Shape, frozen=True, kw_only=True):
    """A feature that can be switched."""

    name: str
    stage: ExperimentalFeatureStage
    display_name: str | None = None
    description: str | None = None
    announcement: str | None = None
    enabled: bool
    default_enabled: bool


class ExperimentalFeatureListResponse(Shape, frozen=True, kw_only=True):
    """A page of features."""

    data: tuple[ExperimentalFeature, ...]
    next_cursor: str | None = None
