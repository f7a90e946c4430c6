"""One response in the making: which server events tell of each step, in the order of the public API. Pure.

    response.created
      output_item.added, conversation.item.added, content_part.added, ...deltas...        a message
      ...done, content_part.done, conversation.item.done, output_item.done
      output_item.added, conversation.item.added, arguments.delta/done, item.done ...     a call
    response.done

A response that is cancelled closes the message it is in as `incomplete` and says why it ended. Items are put into the
conversation when they begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from backchannel.engine import protocol
from backchannel.engine.items import ContentPart, FunctionCallItem, Item, MessageItem
from backchannel.engine.speech.base import SPEAKING_RATE_HZ

if TYPE_CHECKING:
    from backchannel.engine.items import Conversation

__all__ = ["Response"]

_BYTES_PER_MS: Final = SPEAKING_RATE_HZ * 2 / 1000


class Response:
    """The events of one response. The methods are called in the order of the steps, and none after `done`."""

    def __init__(
        self,
        *,
        response_id: str,
        conversation_id: str,
        conversation: Conversation,
        modality: Literal["audio", "text"],
        voice: str,
        metadata: dict[str, str] | None = None,
    ) -> None:
        self.id = response_id
        self.is_created = False
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._modality: Literal["audio", "text"] = modality
        self._voice = voice
        self._metadata = metadata
        self._output: list[Item] = []
        self._open: MessageItem | None = None
        self._open_is_audio = False
        self._text = ""
        self._audio_bytes = 0

    @property
    def has_open_message(self) -> bool:
        """Whether a message is being said."""
        return self._open is not None

    @property
    def audio_ms(self) -> int:
        """How much speech the open message has so far."""
        return int(self._audio_bytes / _BYTES_PER_MS)

    def created(self) -> list[protocol.ServerEvent]:
        """It begins."""
        self.is_created = True
        return [protocol.ResponseCreated(response=self._body("in_progress"))]

    def open_message(self, item_id: str, *, as_audio: bool) -> list[protocol.ServerEvent]:
        """A message begins, spoken or written."""
        item = MessageItem(id=item_id, status="in_progress", role="assistant", content=[])
        self._open = item
        self._open_is_audio = as_audio
        self._text = ""
        self._audio_bytes = 0
        return [
            *self._item_begun(item),
            protocol.ContentPartAdded(
                response_id=self.id, output_index=self._index, item_id=item_id, part=self._part()
            ),
        ]

    def text(self, text: str) -> list[protocol.ServerEvent]:
        """More words of the open message: written, or those that its speech says."""
        item = self._message()
        self._text += text
        if self._open_is_audio:
            return [
                protocol.OutputTranscriptDelta(
                    response_id=self.id, output_index=self._index, item_id=item.id, delta=text
                )
            ]
        return [protocol.OutputTextDelta(response_id=self.id, output_index=self._index, item_id=item.id, delta=text)]

    def audio(self, pcm: bytes) -> list[protocol.ServerEvent]:
        """More speech of the open message."""
        item = self._message()
        self._audio_bytes += len(pcm)
        return [protocol.OutputAudioDelta(response_id=self.id, output_index=self._index, item_id=item.id, delta=pcm)]

    def close_message(self, status: Literal["completed", "incomplete"]) -> list[protocol.ServerEvent]:
        """The open message is over."""
        item = self._message()
        self._open = None
        closed = MessageItem(id=item.id, status=status, role="assistant", content=[self._content()])
        events: list[protocol.ServerEvent] = []
        if self._open_is_audio:
            events += [
                protocol.OutputAudioDone(response_id=self.id, output_index=self._index, item_id=item.id),
                protocol.OutputTranscriptDone(
                    response_id=self.id, output_index=self._index, item_id=item.id, transcript=self._text
                ),
            ]
        else:
            events.append(
                protocol.OutputTextDone(response_id=self.id, output_index=self._index, item_id=item.id, text=self._text)
            )
        events.append(
            protocol.ContentPartDone(response_id=self.id, output_index=self._index, item_id=item.id, part=self._part())
        )
        return [*events, *self._item_over(closed)]

    def call(self, item_id: str, call_id: str, name: str, arguments: str) -> list[protocol.ServerEvent]:
        """A tool is called, all at once."""
        item = FunctionCallItem(id=item_id, status="in_progress", call_id=call_id, name=name, arguments="")
        begun = self._item_begun(item)
        complete = FunctionCallItem(id=item_id, call_id=call_id, name=name, arguments=arguments)
        return [
            *begun,
            protocol.FunctionArgumentsDelta(
                response_id=self.id, output_index=self._index, item_id=item_id, call_id=call_id, delta=arguments
            ),
            protocol.FunctionArgumentsDone(
                response_id=self.id,
                output_index=self._index,
                item_id=item_id,
                call_id=call_id,
                name=name,
                arguments=arguments,
            ),
            *self._item_over(complete),
        ]

    def done(
        self,
        status: Literal["completed", "cancelled", "failed"],
        details: protocol.StatusDetails | None = None,
    ) -> list[protocol.ServerEvent]:
        """It is over; a message that is still open is left incomplete."""
        closing = [] if self._open is None else self.close_message("incomplete")
        return [*closing, protocol.ResponseDone(response=self._body(status, details))]

    @property
    def _index(self) -> int:
        return len(self._output)

    def _message(self) -> MessageItem:
        if self._open is None:
            raise AssertionError("a message is opened before it is filled and closed")
        return self._open

    def _part(self) -> protocol.Part:
        if self._open_is_audio:
            return protocol.Part(type="audio", transcript=self._text)
        return protocol.Part(type="text", text=self._text)

    def _content(self) -> ContentPart:
        if self._open_is_audio:
            return ContentPart(type="output_audio", transcript=self._text)
        return ContentPart(type="output_text", text=self._text)

    def _item_begun(self, item: Item) -> list[protocol.ServerEvent]:
        previous = self._conversation.add(item)
        return [
            protocol.OutputItemAdded(response_id=self.id, output_index=self._index, item=item),
            protocol.ItemAdded(previous_item_id=previous, item=item),
        ]

    def _item_over(self, item: Item) -> list[protocol.ServerEvent]:
        self._conversation.replace(item)
        previous = self._conversation.before(item.id)
        index = self._index
        self._output.append(item)
        return [
            protocol.ItemDone(previous_item_id=previous, item=item),
            protocol.OutputItemDone(response_id=self.id, output_index=index, item=item),
        ]

    def _body(
        self,
        status: Literal["in_progress", "completed", "cancelled", "failed"],
        details: protocol.StatusDetails | None = None,
    ) -> protocol.ResponseBody:
        return protocol.ResponseBody(
            id=self.id,
            conversation_id=self._conversation_id,
            status=status,
            status_details=details,
            output=list(self._output),
            output_modalities=[self._modality],
            audio=protocol.ResponseAudio(output=protocol.ResponseAudioOutput(voice=self._voice)),
            metadata=self._metadata,
        )
