"""A synthesizer for those who need one without an engine: `talk --say` speaks the user's part with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from backchannel.errors import MissingComponentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.engine.speech.base import TextToSpeech

__all__ = ["find_speaker"]


async def find_speaker(env: Mapping[str, str]) -> TextToSpeech | None:
    """The best synthesizer of this machine; None when there is none that works.

    Raises:
        MissingComponentError: The extra `local` is not installed.
    """
    try:
        from backchannel.engine.speech import speaking
    except ImportError as exc:
        raise MissingComponentError(f"speaking needs {exc.name}: pip install 'backchannel[local]'") from exc
    # It tries the synthesizers out, which takes a moment each.
    return await asyncio.to_thread(speaking.find_speaker, env)
