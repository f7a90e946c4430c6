"""The conversation as items of its thread's history: it began, somebody said something, it ended.

It is told to the clients, and kept. What somebody says is a segment from its first piece to its final text; a segment
holds the pieces as they came. One that is open when the conversation ends is completed before.

Source: app-server.md 1.8, realtime.md 7.1 and 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backchannel.threads import Spoken, VoiceBegan, VoiceEnded
from backchannel.wire import appserver

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from backchannel.core import screen
    from backchannel.threads import Entry

__all__ = ["Timeline"]


class Timeline:
    """The items of one conversation.

    Args:
        thread_id: The thread.
        session_id: Of the conversation.
        tell: Tells the clients.
        keep: Keeps an entry of the thread.
        new_id: Makes ids.
        now_ms: The time, in milliseconds since the epoch.
    """

    def __init__(
        self,
        thread_id: str,
        session_id: str,
        *,
        tell: Callable[[str, msgspec.Struct], None],
        keep: Callable[[Entry], None],
        new_id: Callable[[], str],
        now_ms: Callable[[], int],
    ) -> None:
        self._thread_id = thread_id
        self._session_id = session_id
        self._tell = tell
        self._keep = keep
        self._new_id = new_id
        self._now_ms = now_ms
        self._open: dict[screen.Speaker, tuple[str, list[str]]] = {}

    def began(self) -> None:
        """The conversation is live."""
        self._keep(VoiceBegan(at_ms=self._now_ms()))
        self._whole(appserver.RealtimeSessionStarted(id=self._new_id(), realtime_session_id=self._session_id))

    def more(self, speaker: screen.Speaker, delta: str) -> None:
        """A piece of what somebody says."""
        if speaker not in self._open:
            self._open[speaker] = (self._new_id(), [])
            self._started(self._segment(speaker, self._open[speaker][0], ""))
        item_id, pieces = self._open[speaker]
        pieces.append(delta)
        told = appserver.ThreadRealtimeItemTranscriptDeltaNotification(
            thread_id=self._thread_id, item_id=item_id, delta=delta
        )
        self._tell("thread/realtime/item/transcript/delta", told)

    def done(self, speaker: screen.Speaker, text: str) -> None:
        """What somebody said is whole."""
        if speaker not in self._open:
            if not text:
                return
            self.more(speaker, text)
        item_id, pieces = self._open.pop(speaker)
        self._completed(self._segment(speaker, item_id, "".join(pieces)))
        said = text or "".join(pieces)
        if said.strip():
            self._keep(Spoken(at_ms=self._now_ms(), speaker=speaker, text=said))

    def ended(self, *, failed: bool) -> None:
        """The conversation is over."""
        for speaker in list(self._open):
            self.done(speaker, "")
        self._keep(VoiceEnded(at_ms=self._now_ms()))
        self._whole(
            appserver.RealtimeSessionClosed(
                id=self._new_id(), realtime_session_id=self._session_id, outcome="failed" if failed else "ended"
            )
        )

    def _segment(self, speaker: screen.Speaker, item_id: str, text: str) -> appserver.TranscriptSegment:
        return appserver.TranscriptSegment(id=item_id, realtime_session_id=self._session_id, role=speaker, text=text)

    def _whole(self, item: appserver.ThreadRealtimeItem) -> None:
        self._started(item)
        self._completed(item)

    def _started(self, item: appserver.ThreadRealtimeItem) -> None:
        self._tell(
            "thread/realtime/item/started",
            appserver.ThreadRealtimeItemStartedNotification(thread_id=self._thread_id, item=item),
        )

    def _completed(self, item: appserver.ThreadRealtimeItem) -> None:
        self._tell(
            "thread/realtime/item/completed",
            appserver.ThreadRealtimeItemCompletedNotification(thread_id=self._thread_id, item=item),
        )
