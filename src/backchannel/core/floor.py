"""The floor: who is speaking, what there is to say of the agent's work, and when it may be said.

Theory of operation. What waits here is the wish to *speak*. What there is to know reaches the voice as context at once,
apart from progress, which comes in pieces of a bearable size (`progress.py`). The invariants:

- **Never over the user.** The floor is free when the user is silent, the voice was heard to its end, and nothing has
  been heard for a moment (`quiet_s`). What the user asked for does not wait for that moment.
- **Once.** News waits once for each thing that it is about: newer news takes the place of older. When the floor is
  free, all that waits is said in one go, the most pressing first. When the voice is asked to speak for another reason,
  all that waits is said too, since the voice knows it; but not a question, since an answer to what may not have been
  asked would be taken for an answer.
- **Not too late.** Old progress is no news; a result makes the progress of its turn void; a heartbeat is said when
  there is nothing else to say. Whatever is no longer true is forgotten.
- **Not lost.** What is being said stays known until it was heard. Cut off, a result, a failure or a question is offered
  again, `MAX_OFFERS` times in all; progress is not. Where nothing was said at all (the request to speak was refused),
  all of it waits again, as if it had never been taken.

A piece of news moves like this:

    offer -> waiting -> (take, said) -> being said -> heard                   forgotten
                ^                           |-------> cut_off, transport_lost  waits again, or forgotten
                '---------------------------'-------> refused                  waits again

The requests to speak are numbered. One may be made while the voice still says what an earlier one was for; when it is
refused, only its own news waits again.

What waits is bounded by what happens: one piece for each reason and turn of the last ten minutes, and the open
questions. Whoever takes news tells what became of it: `heard`, `cut_off` or `refused`.

The file is long because when something may be said cannot be judged without what there is to say.

Source: decision 5 of the design. What waits is the wish, and it is said once after a moment that is quiet on both sides
and offered three times at most, as the best of the peers do.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import TYPE_CHECKING, Final

from backchannel.core.progress import PROGRESS_GAP_S, Heartbeat, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "MAX_OFFERS",
    "MILESTONE_GAP_S",
    "STALE_HEARTBEAT_S",
    "STALE_MILESTONE_S",
    "STALE_RESULT_S",
    "Floor",
    "News",
    "Reason",
    "Speech",
]

MILESTONE_GAP_S: Final = 15.0
"""How long after progress was spoken more of it may be, unless the user wants to hear everything."""
MAX_OFFERS: Final = 3
"""How often a result, a failure or a question is said, when the user speaks over it each time."""
STALE_HEARTBEAT_S: Final = 5.0
STALE_MILESTONE_S: Final = 20.0
STALE_RESULT_S: Final = 600.0


class Reason(enum.IntEnum):
    """Why the voice should speak, the most pressing highest."""

    HEARTBEAT = enum.auto()
    """The agent still works, and has said nothing for long."""
    MILESTONE = enum.auto()
    """The agent said something on its way."""
    FAILURE = enum.auto()
    """The agent could not do it."""
    RESULT = enum.auto()
    """The agent is done."""
    QUESTION = enum.auto()
    """The agent waits for an answer."""
    ASKED = enum.auto()
    """The user asked and waits: said without waiting for quiet."""


class Speech(enum.Enum):
    """Of what the voice speaks unasked."""

    SILENT = "silent"
    RESULTS = "results"
    MILESTONES = "milestones"
    CHATTY = "chatty"
    """Everything that the agent says, when it is quiet."""
    IMMEDIATE = "immediate"
    """Everything, without waiting for quiet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something to say."""

    reason: Reason
    about: str
    """The id of the turn or of the approval."""
    text: str = ""
    """What would be said of it."""


_LEAST: Final[dict[Speech, Reason]] = {
    Speech.SILENT: Reason.ASKED,
    Speech.RESULTS: Reason.FAILURE,
    Speech.MILESTONES: Reason.HEARTBEAT,
    Speech.CHATTY: Reason.HEARTBEAT,
    Speech.IMMEDIATE: Reason.HEARTBEAT,
}
"""The least pressing reason for which the voice speaks."""
_HEARTBEAT_SCALE: Final[dict[Speech, float]] = {Speech.MILESTONES: 1.0, Speech.CHATTY: 0.5}
_STALE_S: Final[dict[Reason, float]] = {
    Reason.HEARTBEAT: STALE_HEARTBEAT_S,
    Reason.MILESTONE: STALE_MILESTONE_S,
    Reason.FAILURE: STALE_RESULT_S,
    Reason.RESULT: STALE_RESULT_S,
    # It is forgotten when it is settled.
    Reason.QUESTION: math.inf,
    Reason.ASKED: STALE_RESULT_S,
}
_OFFERED_AGAIN: Final = frozenset({Reason.FAILURE, Reason.RESULT, Reason.QUESTION})
_OUTDATING: Final = frozenset({Reason.FAILURE, Reason.RESULT})


@dataclasses.dataclass(slots=True)
class _Item:
    """News, and what has become of it."""

    news: News
    since: float
    n_offers: int = 0
    """How often it was cut off."""
    is_untold: bool = False
    """Whether the voice may not know of it any more, or think it was said: it has to be told again first."""
    request: int = 0
    """The number of the request to speak that it was last part of."""

    def is_fresh(self, now: float) -> bool:
        return now - self.since <= _STALE_S[self.news.reason]


_Items = dict[tuple[Reason, str], _Item]
"""By what makes two pieces of news the same: the reason and the thing. In the order in which they came."""


class Floor:
    """Decides what the voice says unasked, and when."""

    def __init__(self, *, speech: Speech, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._user_speaking = False
        self._is_muted = False
        self._stops_are_told = False
        self._silent_since = 0.0
        # Either a single heartbeat or no heartbeat.
        self._waiting: _Items = {}
        self._saying: _Items = {}
        self._n_requests = 0
        # When progress was last spoken, and before what may yet be refused.
        self._progress_at = self._progress_was_at = -math.inf
        self._progress = Progress()
        self._heartbeat = Heartbeat()
        self.set_speech(speech)

    @property
    def user_speaking(self) -> bool:
        """Whether the user is speaking now."""
        return self._user_speaking

    @property
    def waiting(self) -> bool:
        """Whether there is something to be said."""
        return bool(self._waiting)

    @property
    def is_saying(self) -> bool:
        """Whether something is being said that the voice was asked for."""
        return bool(self._saying)

    @property
    def saying(self) -> tuple[News, ...]:
        """What is being said, or was and has not been heard as far as is known."""
        return tuple(item.news for item in self._saying.values())

    @property
    def speech(self) -> Speech:
        """Of what the voice speaks unasked."""
        return self._speech

    def set_speech(self, level: Speech) -> None:
        """The user wants to hear more, or less: what is unwanted now is dropped, and not offered again."""
        self._speech = level
        self._least = _LEAST[level]
        self._progress.gap_s = 0.0 if level is Speech.IMMEDIATE else PROGRESS_GAP_S
        self._heartbeat.scale = _HEARTBEAT_SCALE.get(level)
        self._waiting = {key: item for key, item in self._waiting.items() if key[0] >= self._least}
        self._saying = {key: item for key, item in self._saying.items() if key[0] >= self._least}

    # Who is speaking.

    def user_started(self) -> None:
        """The user began to speak. One who is muted did so before, and the end of it may never be told."""
        self._user_speaking = not self._is_muted

    def user_stopped(self, now: float) -> None:
        """The user fell silent."""
        self._stops_are_told = True
        self._user_speaking = False
        self._silent_since = now

    def user_transcribed(self, now: float) -> None:
        """What the user said is known whole, so the user fell silent, where the server does not tell that itself.

        Where it does, the words come late: the user may be speaking again.
        """
        if not self._stops_are_told:
            self._user_speaking = False
            self._silent_since = now

    def voice_stopped(self, now: float) -> None:
        """The voice has said what it had to say."""
        self._silent_since = max(self._silent_since, now)

    def muted(self, is_muted: bool, now: float) -> None:  # noqa: FBT001 - a fact that is told, not a mode
        """The microphone was switched off, or on: whoever is muted does not speak."""
        self._is_muted = is_muted
        if is_muted and self._user_speaking:
            self._user_speaking = False
            self._silent_since = now

    def transport_lost(self, now: float) -> None:
        """The connection broke: nobody is heard any more, and the next server may tell other things."""
        self._user_speaking = False
        self._stops_are_told = False
        self._silent_since = max(self._silent_since, now)
        self.cut_off(now)
        for item in self._waiting.values():
            item.is_untold = True

    def transport_restored(self) -> None:
        """The next session is there: what an expired one still told of the user means nothing in it."""
        self._user_speaking = False
        self._stops_are_told = False

    def free_at(self, playback_ends_at: float) -> float | None:
        """When what waits may be said, as things stand; None while the user speaks."""
        if self._user_speaking:
            return None
        most_pressing = max(self._waiting)[0] if self._waiting else None
        if most_pressing is Reason.ASKED or self._speech is Speech.IMMEDIATE:
            return self._silent_since
        free_at = max(self._silent_since, playback_ends_at) + self._quiet_s
        if most_pressing is None or most_pressing > Reason.MILESTONE or self._speech is Speech.CHATTY:
            return free_at
        return max(free_at, self._progress_at + MILESTONE_GAP_S)

    def quiet_at(self, playback_ends_at: float) -> float | None:
        """When it has been quiet for a moment on both sides, as things stand; None while the user speaks."""
        return None if self._user_speaking else max(self._silent_since, playback_ends_at) + self._quiet_s

    # What there is to say.

    def offer(self, news: News, now: float, *, has_way: bool = True) -> bool:
        """There is something to say. True when it is to be said at once; otherwise it waits, or is not wanted.

        Args:
            news: What.
            now: The time.
            has_way: Whether the voice can be asked now; if not, everything waits.
        """
        reason = news.reason
        if has_way and (reason is Reason.ASKED or self._speech is Speech.IMMEDIATE):
            return True
        if reason >= self._least:
            if self._waiting:
                self._waiting = {key: item for key, item in self._waiting.items() if item.is_fresh(now)}
            self._wait(_Item(news, now))
        return False

    def take(self, now: float) -> tuple[News, ...]:
        """The floor is free: what is to be said now, in one go, the most pressing first."""
        if not self._waiting:
            return ()
        items = [item for item in self._waiting.values() if item.is_fresh(now)]
        self._waiting = {}
        if not items:
            return ()
        if len(items) > 1:  # mutants: same
            items.sort(key=lambda item: item.news.reason, reverse=True)
        if items[-1].news.reason <= Reason.MILESTONE:
            self._progress_was_at, self._progress_at = self._progress_at, now
        self._n_requests += 1
        # Of what was asked for before, only what would be offered again matters any more.
        self._saying = {key: item for key, item in self._saying.items() if _is_owed(item, now)}
        for item in items:
            item.request = self._n_requests
            self._saying[item.news.reason, item.news.about] = item
        return tuple(item.news for item in items)

    def untold(self) -> tuple[News, ...]:
        """Of what was taken last, what the voice has to be told again before it is asked to speak of it."""
        items = self._saying.values()
        return tuple(item.news for item in items if item.is_untold and item.request == self._n_requests)

    def said(self, news: tuple[News, ...], now: float) -> None:
        """The voice was asked to speak of this at once. It knows all, so only questions wait on."""
        self._n_requests += 1
        asked = {(one.reason, one.about) for one in news}
        questions = {key: item for key, item in self._waiting.items() if key[0] is Reason.QUESTION and key not in asked}
        self._waiting = {key: item for key, item in self._waiting.items() if key not in questions}
        for one in news:
            self._wait(_Item(one, now))
        self.take(now)
        self._waiting = questions

    def heard(self) -> None:
        """The user heard what was being said."""
        self._saying = {}

    def cut_off(self, now: float) -> None:
        """The user spoke over what was being said: what matters is offered again, but not for ever."""
        if not self._saying:
            return
        cut, self._saying = self._saying, {}
        for item in cut.values():
            item.n_offers += 1
            item.is_untold = True
        self._wait_again(item for item in cut.values() if item.n_offers < MAX_OFFERS and _is_owed(item, now))

    def refused(self, now: float) -> None:
        """The last request to speak came to nothing: what it was for waits as before."""
        refused = [item for item in self._saying.values() if item.request == self._n_requests]
        if any(item.news.reason <= Reason.MILESTONE for item in refused):
            self._progress_at = self._progress_was_at
        self._saying = {key: item for key, item in self._saying.items() if item.request != self._n_requests}
        self._wait_again(item for item in refused if item.is_fresh(now))

    def forget(self, about: str, *reasons: Reason) -> None:
        """This is no longer true: what is to be said of a thing, for these reasons or for any."""
        for reason in reasons or Reason:
            self._waiting.pop((reason, about), None)
            self._saying.pop((reason, about), None)

    # Progress and signs of life: see `progress.py`.

    @property
    def held_until(self) -> float | None:
        """When the progress that is held goes on; None when none is."""
        return self._progress.held_until

    def report(self, text: str, now: float) -> str | None:
        """The agent said something on its way. What to pass on to the voice now; None when it is held."""
        return self._progress.report(text, now)

    def release(self, now: float) -> str | None:
        """The progress that was held, as one text, when its time has come."""
        return self._progress.release(now)

    def flush(self) -> str | None:
        """The progress that was held, as one text, at once: something follows that must not overtake it."""
        return self._progress.flush()

    @property
    def heartbeat_at(self) -> float | None:
        """When a heartbeat is due; None when nothing works or none is wanted."""
        return self._heartbeat.due_at

    def work_started(self, turn_id: str, now: float) -> None:
        """A turn began."""
        self._heartbeat.work_started(turn_id, now)

    def work_ended(self, turn_id: str) -> None:
        """A turn is over: that it still works is no longer true."""
        self._heartbeat.work_ended(turn_id)
        self.forget(turn_id, Reason.HEARTBEAT)

    def news_came(self, now: float) -> None:
        """The agent said something, or the user asked how it goes: the silence begins anew."""
        self._heartbeat.news_came(now)

    def heartbeat(self, now: float) -> str | None:
        """The turn that is to be said to be working still, when a heartbeat is due; the next comes later."""
        return self._heartbeat.beat(now)

    def _wait(self, item: _Item) -> None:
        """Let it wait, in the place of what it makes void."""
        reason, about = item.news.reason, item.news.about
        waiting = self._waiting
        if waiting and next(iter(waiting))[0] is Reason.HEARTBEAT:
            waiting.clear()
        elif waiting and reason is Reason.HEARTBEAT:
            return
        if reason in _OUTDATING:
            self.forget(about, Reason.MILESTONE, Reason.HEARTBEAT)
        earlier = waiting.get((reason, about))
        if earlier is not None and earlier.news == item.news:
            # The same words: no reason to say them more often.
            item.n_offers = max(item.n_offers, earlier.n_offers)
        waiting[reason, about] = item

    def _wait_again(self, items: Iterable[_Item]) -> None:
        """Let it wait before what came later, where no later news takes its place."""
        later, self._waiting = self._waiting, {}
        for item in (*items, *later.values()):
            self._wait(item)


def _is_owed(item: _Item, now: float) -> bool:
    """Whether it is offered again when it was not heard."""
    return item.news.reason in _OFFERED_AGAIN and item.is_fresh(now)
