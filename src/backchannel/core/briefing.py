"""What the agent is told, with its next turn, about how it is spoken to: through a voice from now on, or not any more.

A message goes with the next turn, never by itself. What is over before the agent heard of it is not told; but when one
conversation takes the place of another, the agent that knew of the first is told of its end and then of the next one.
What was said at the end of a conversation and not handed over comes first, as the user's.

Source: realtime.md 8.1 for the frame, the first lines and when; the texts are ours.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = ["ENDED", "MAX_TOKENS", "STARTED", "Briefing", "Note"]

MAX_TOKENS: Final = 8192
"""Of a text that is given in the place of ours; estimated."""
MAX_TAILS: Final = 4
"""Of so many conversations, the newest, the end waits to be told."""
STARTED: Final = (
    "Realtime conversation started.\n\n"
    "From now on the user speaks, and a voice passes on what was said and tells the user what you answer. So what"
    " reaches you was recognised from speech: words may be wrong, missing or cut off, and sentences may be unfinished."
    " Read it for what was meant, using what you know of the work, and ask only where a misunderstanding could do harm."
    " You may be handed something that needs no work at all; then answer in a sentence. While you work, say briefly"
    " what matters as it happens; the user can ask, change or stop the work at any time. Begin your final message with"
    " the outcome in one or two sentences that can be spoken; put details, code and tables after an empty line, for the"
    " screen."
)
ENDED: Final = (
    "Realtime conversation ended.\n\n"
    "The user types again and reads what you write. What reaches you from now on was not recognised from speech, so"
    " take it as it stands, and answer in the form you would choose for text.\n\n"
    "Reason: inactive"
)


class Note(NamedTuple):
    """A message for the agent that goes with what is asked."""

    role: Literal["developer", "user"]
    text: str


class Briefing:
    """What one agent is still to be told. It lives as long as the agent, longer than a conversation."""

    def __init__(self) -> None:
        self._returned: tuple[Note, ...] = ()
        self._tails: list[str] = []
        self._waiting: list[tuple[bool, str]] = []
        self._knows_of_voice = False

    def begins(self, text: str | None = None) -> None:
        """A conversation by voice has begun; None is our own text, an empty one says nothing but that."""
        self._waiting.append((True, STARTED if text is None else text))

    def ends(self, text: str | None = None, *, tail: str | None = None) -> None:
        """It is over; None is our own text.

        Args:
            text: What the agent is told of it.
            tail: What was said at its end, in its envelope; None: nothing that is to be told.
        """
        if tail is not None:
            self._tails.append(tail)
            del self._tails[:-MAX_TAILS]
        if self._waiting and self._waiting[-1][0]:
            # The agent never heard of it.
            self._waiting.pop()
        elif self._knows_of_voice and not self._waiting:
            self._waiting.append((False, ENDED if text is None else text))

    def take(self) -> tuple[Note, ...]:
        """The messages that go with the turn that begins now, in order; afterwards they have been told."""
        told = (
            *(Note("user", tail) for tail in self._tails),
            *(
                Note("developer", f"<realtime_conversation>\n{text}\n</realtime_conversation>")
                for _, text in self._waiting
            ),
        )
        self._tails.clear()
        if self._waiting:
            self._knows_of_voice = self._waiting[-1][0]
        self._waiting.clear()
        return self.after_returned(told)

    def after_returned(self, notes: tuple[Note, ...]) -> tuple[Note, ...]:
        """These, after what was put back before."""
        returned, self._returned = self._returned, ()
        return (*returned, *notes)

    def put_back(self, notes: tuple[Note, ...]) -> None:
        """These were taken and have not reached the agent: they go with the next turn, before what comes later."""
        self._returned = (*self._returned, *notes)
