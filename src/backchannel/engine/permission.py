"""The agent's requests for permission: the question that is put, and the user's answer to it, by rule. Pure.

Theory of operation. The client tells of a request in a report that names it; from then on it is open, until the client
tells that it is settled, or answers a call about it with anything but that the user is to be asked again. The oldest
open request is put to the user when the client asks for a response, once; requests that have to be answered on the
screen are only mentioned. A yes or a no counts as an answer when the question was the last thing said, and a no also
later. A yes that comes after something else was said is no answer to be sure of: the question is put again. The client
may know the user's words before they are answered here, and settle the request by them; then the outcome is the answer.

What is passed on is only a proposal. Whether the user gave the permission, the client judges from the user's words.

The words that are recognised here are the client's (`core/approval.py`); a test joins the two.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final, Literal, TypeAlias

import msgspec

from backchannel.engine.reply import Reply, ToolCall

__all__ = ["MAX_OPEN", "MAX_SPOKEN_CHARS", "TOOL", "Decision", "Permissions", "decision_in"]

TOOL: Final = "answer_approval"
MAX_OPEN: Final = 64
"""Requests beyond this push out the oldest."""
MAX_SPOKEN_CHARS: Final = 240
"""A longer question is not put by voice: what was not heard whole cannot be permitted."""

Decision: TypeAlias = Literal["approve", "decline"]

# The action may be any words, also these: the last place where they stand is the client's.
_INTRODUCED: Final = re.compile(
    r"The agent asks for permission to (?P<action>.*)\. This is request (?P<id>\S+)\. (?P<how>.*)", re.DOTALL
)
_FOR_SCREEN: Final = re.compile(r"\bhas to be answered on the screen\b")
_SETTLED: Final = re.compile(r"About request (?P<id>\S+): ")
_ASK_AGAIN: Final = re.compile(r"\bAsk the user about request (?P<id>\S+): (?P<question>.+)", re.DOTALL)
_OUTCOMES: Final = (
    (re.compile(r"\bhas the permission\b|\ballowed it\b|\bit was approved\b"), "Okay, it may go on."),
    (re.compile(r"\bdeclined\b"), "Okay, that is declined."),
    (re.compile(r"\bsettled already\b|\bdoes not need the answer\b"), "That is settled already."),
)
_SAID_UNDECIDED: Final = "Nothing is decided."

_YES: Final = re.compile(
    r"(?:(?:yes|yeah|yep|yup|okay|ok|sure|all right|of course|absolutely|approved|approve(?: it| that)?"
    r"|i approve(?: it| that)?|allow (?:it|that)|go ahead|go for it|do it|do that|please do|you may|you can"
    r"|that's fine|that is fine|fine)(?:\s+|$))+(?:(?:please|thanks|thank you)(?:\s+|$))*"
)
_NO: Final = re.compile(
    r"(?:please\s+)?(?:(?:no|nope|nah|no way|not now|not yet|(?:don't|do not)(?: do (?:it|that))?|better not"
    r"|i'd rather not|declined|decline(?: it| that)?|deny (?:it|that))(?:\s+|$))+"
    r"(?:(?:please|thanks|thank you)(?:\s+|$))*"
)

_UNCLEAR: Final = "I need a clear yes or no."
_MENTIONED: Final = "The agent asks for a permission. Please answer on the screen."


@dataclasses.dataclass(slots=True, kw_only=True)
class _Request:
    """A request that is open."""

    approval_id: str
    question: str
    is_for_screen: bool
    is_said: bool = False
    is_repeated: bool = False


class Permissions:
    """The open requests of one conversation."""

    def __init__(self) -> None:
        self._open: dict[str, _Request] = {}
        self._asking: str | None = None
        """The request whose question was the last thing said."""
        self._proposed: str | None = None
        self._outcome: str | None = None
        """What to say to the answer of the last question, when it came to be settled before."""

    @property
    def is_asking(self) -> bool:
        """Whether a question was the last thing said."""
        return self._asking is not None

    def told(self, report: str) -> bool:
        """A report came. True when it is about a request for permission, and so taken."""
        introduced = _INTRODUCED.fullmatch(report)
        if introduced is not None:
            action = _one_line(introduced["action"]).rstrip(".?! ")
            question = f"May I {action}?"
            is_for_screen = bool(_FOR_SCREEN.search(introduced["how"])) or len(question) > MAX_SPOKEN_CHARS
            self._add(_Request(approval_id=introduced["id"], question=question, is_for_screen=is_for_screen))
            return True
        settled = _SETTLED.match(report)
        if settled is None or settled["id"] not in self._open:
            return False
        del self._open[settled["id"]]
        if settled["id"] == self._asking:
            self._outcome = _outcome(report)
        return True

    def answered(self, output: str) -> str | None:
        """A call about a request was answered: what to say of it.

        Returns:
            None when the question is to be put again: it is open, and will be said.
        """
        proposed, self._proposed = self._proposed, None
        again = _ASK_AGAIN.search(output)
        if again is None:
            if proposed is not None:
                self._close(proposed)
            return _outcome(output)
        if proposed in self._open:
            self._open[proposed].is_said = False
        question = _one_line(again["question"])
        is_for_screen = len(question) > MAX_SPOKEN_CHARS
        # It keeps its place among the others.
        self._add(_Request(approval_id=again["id"], question=question, is_for_screen=is_for_screen, is_repeated=True))
        return None

    def due(self, *, by_voice: bool) -> str | None:
        """What is to be said of the requests, once: that some wait on the screen, and the question that is next.

        Args:
            by_voice: Whether an answer can be passed on; else every request has to be answered on the screen.
        """
        said = []
        unseen = [each for each in self._open.values() if (each.is_for_screen or not by_voice) and not each.is_said]
        if unseen:
            for request in unseen:
                request.is_said = True
            said.append(_MENTIONED)
        question = self._next() if by_voice else None
        if question is not None and not question.is_said:
            said += [_UNCLEAR] if question.is_repeated else []
            said.append(self._put(question))
        return " ".join(said) or None

    def passed_over(self) -> str | None:
        """Something else is said, or heard, from now on: which question was the last thing said until now."""
        asking, self._asking = self._asking, None
        return asking

    def cut_off(self) -> None:
        """What was being said was not heard: a question that was put with it is to be put again."""
        asking = self.passed_over()
        if asking in self._open:
            self._open[asking].is_said = False

    def answer(self, sentence: str, *, asked: str | None) -> Reply | None:
        """What to do about the user's words, when they answer the question that is open; None when they do not.

        Args:
            sentence: In small letters, without its signs.
            asked: The request whose question was the last thing said.
        """
        request, decision = self._next(), decision_in(sentence)
        if asked is not None and asked not in self._open:
            return None if decision is None else Reply(say=self._outcome)
        if request is None or not request.is_said or decision is None:
            return None
        if decision == "approve" and asked != request.approval_id:
            return Reply(say=self._put(request))
        self._proposed = request.approval_id
        arguments = msgspec.json.encode({"approval_id": request.approval_id, "decision": decision}).decode()
        return Reply(call=ToolCall(name=TOOL, arguments=arguments))

    def _next(self) -> _Request | None:
        return next((request for request in self._open.values() if not request.is_for_screen), None)

    def _put(self, request: _Request) -> str:
        request.is_said = True
        request.is_repeated = False
        self._asking = request.approval_id
        return request.question

    def _add(self, request: _Request) -> None:
        self._open[request.approval_id] = request
        if len(self._open) > MAX_OPEN:
            self._close(next(iter(self._open)))

    def _close(self, approval_id: str) -> None:
        self._open.pop(approval_id, None)
        if self._asking == approval_id:
            self._asking = None


def _outcome(output: str) -> str:
    """What the client tells of a request, in a few words."""
    return next((said for words, said in _OUTCOMES if words.search(output)), _SAID_UNDECIDED)


def decision_in(sentence: str) -> Decision | None:
    """What a sentence, in small letters and without its signs, decides; None unless it is clearly one of the two."""
    if _YES.fullmatch(sentence):
        return "approve"
    return "decline" if _NO.fullmatch(sentence) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())
