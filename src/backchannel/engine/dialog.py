"""What the voice says and does: a small dialog by rule, in place of a language model. Pure.

Theory of operation. Two things make it speak. The user spoke (`heard`): the reply follows from the words alone:
greetings are answered, a question about progress, a wish to stop and one for more or fewer updates call their tools
where the client offers them, and every other request is handed to the background agent in the words that were
understood, after a short acknowledgement. What was not understood well enough is handed to nobody. Or the client asks
for a response (`asked`): then the reply is what is new since the last one, said once and briefly.

What is new comes as items: a user message marked `[BACKEND] ` is a report of the agent, a function call's output is
the answer of a tool. The answer of a `background_agent` call either only says that a running task was changed or that
the request is kept for later (then an acknowledgement is due), or points to the reports before it (then the last of
them is the result), or says how the task ended. A newer report takes the place of an older one that was not said yet;
a result is not displaced by a report. A report that no open call stands for, of a task that was kept for later or
begun before this session, may be its result: the answer of another tool does not displace it either. A sign of life is
no report: nothing is known by it. Reports about a request for permission are `permission.py`'s. User messages marked
`[USER] ` are what the user typed to the agent: known, and never said.

The file is long because its phrases and patterns stand with the one state that they serve, what is still unsaid.

It knows which calls are open, to read their answers, and nothing of how the agent's work goes. Words vary by a counter,
so the same conversation gives the same words.

Source: realtime.md 4.3, 5.2 and 5.3 for the two prefixes; the rest is ours.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.engine import permission, updates
from backchannel.engine.permission import Permissions
from backchannel.engine.prose import spoken_form
from backchannel.engine.reply import Reply, ToolCall
from backchannel.engine.speech.base import Heard

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AGENT_PREFIX", "USER_PREFIX", "Dialog", "Reply", "ToolCall", "assured", "is_request", "joined"]

AGENT_PREFIX: Final = "[BACKEND] "
USER_PREFIX: Final = "[USER] "

AGENT_TOOL: Final = "background_agent"
STATUS_TOOL: Final = "agent_status"
STOP_TOOL: Final = "stop_agent"

MIN_CONFIDENCE: Final = 0.6
"""Free speech understood with less than this is not handed on: measured, most of its words are then wrong."""
MIN_ADDRESSED_CONFIDENCE: Final = 0.35
"""Below this it is not even clear that somebody spoke to us."""
MIN_CONTENT_WORDS: Final = 2
MIN_KNOWN_WORDS: Final = 3
MAX_SMALL_TALK_WORDS: Final = 12
"""A longer sentence is a request, whatever words it is made of."""
MAX_NEWS: Final = 64
"""Reports beyond this that nobody asked to hear push out the oldest."""
MAX_OPEN_CALLS: Final = 256

_ON_IT: Final = ("On it.", "Okay, I'm on it.", "Right away.", "Sure, one moment.", "Will do.")
_PASSED_ON: Final = ("Okay.", "Sure.", "All right.", "Got it.")
_TAKEN: Final = ("It has that now.", "That is passed on.", "It knows.")
_KEPT: Final = ("I'll do that afterwards.", "That comes next.", "I'll keep that for afterwards.")
_HELLO: Final = ("Hello! What shall I do?", "Hi! What can I do for you?", "Hello there.")
_WELCOME: Final = ("You're welcome.", "Any time.", "Glad to help.")
_GOODBYE: Final = ("Goodbye!", "See you.", "Bye for now.")
_NOT_UNDERSTOOD: Final = ("Sorry, I did not understand that.", "I did not catch that. Could you say it again?")
_NO_AGENT: Final = ("There is no agent here that I could pass that on to.",)
_NOTHING_TO_SAY: Final = ("It is done.",)
_ON_SCREEN: Final = ("The details are on the screen.",)
_CANNOT_MUTE: Final = ("I cannot mute for you. Please do it where you opened this conversation.",)

_GREETING: Final = re.compile(r"(?:(?:hello|hi|hey|good (?:morning|afternoon|evening))(?: there| again)?\s*)+")
_THANKS: Final = re.compile(
    r"(?:(?:okay|ok|great|good|perfect|fine|no|yes|all right)\s+)*(?:thanks|thank you|cheers)"
    r"(?: a lot| so much| very much| again)?(?: for (?:that|this|your help|the help))?"
)
_BYE: Final = re.compile(
    r"(?:(?:okay|thanks|thank you)\s+)*(?:good ?bye|bye(?: bye)?|see you(?: later| soon)?)(?: for now)?"
)
_NOD: Final = re.compile(
    r"(?:(?:yes|no|yeah|yep|yup|nope|okay|ok|sure|right|fine|good|great|perfect|all right|please|nice|cool|mm|hm)\s*)+"
)
_MUTE: Final = re.compile(r"(?:please )?(?:un ?)?mute(?: me| the microphone)?(?: please)?")
_LEAD: Final = r"(?:(?:okay|ok|no|yes|so|and|hey|please|now|can you|could you|i want you to|tell me)\s+)*"
_TAIL: Final = r"(?:\s+(?:now|please|right now|then|thanks|it|that|this))*"
_STOP: Final = re.compile(
    _LEAD + r"(?:(?:stop|cancel|abort|quit|halt|enough)(?: (?:stop|it|that|this|everything|working|running|there|now)"
    r"| (?:doing|running) (?:it|that|this|the tests?)| the (?:tests?|work|task|run|search|job|agent))*"
    r"|hold on stop|never ?mind|forget (?:about )?(?:it|that)|leave it|drop it|(?:that is|that's) enough)" + _TAIL
)
_STATUS: Final = re.compile(
    _LEAD + r"(?:how (?:is|'s) (?:it|that|this|everything) (?:going|looking|coming along)"
    r"|how's (?:it|that|everything) (?:going|looking|coming along)"
    r"|how does it look|how far(?: along)? (?:are you|is it|are they)(?: along)?"
    r"|how (?:are|is) (?:you|it|they|the \w+) (?:doing|going|getting on|coming along)"
    r"|how much (?:is (?:done|left)|longer(?: will it take)?)"
    r"|how long (?:will|does) it(?: still)? take|how many are left"
    r"|are (?:you|they|the tests) (?:still )?(?:done|finished|ready|working|running|there|doing it)(?: yet)?"
    r"|is (?:it|that|the work|the task) (?:still )?(?:done|finished|ready|running|working)(?: yet)?|did it finish"
    r"|what are you (?:doing|working on)|(?:what is|what's) (?:going on|happening)"
    r"|(?:(?:give me|show me|what is|what's|what about)\s+)?(?:(?:the|a|your|any)\s+)?(?:status|progress)"
    r"(?: update| report)?"
    r"|any (?:news|progress|updates?)|update me|where (?:are you|do we stand)|anything yet)" + _TAIL
)
_ADDRESSED: Final = re.compile(
    r"\b(?:please|can you|could you|would you|will you|hey|computer|agent|i want you|let's)\b"
)
_KEPT_ANSWER: Final = re.compile(r"\bwill be started when\b", re.IGNORECASE)
_SIGN_OF_LIFE: Final = re.compile(
    r"Still working on “.*”, for (?P<elapsed>\w+(?: \w+)?) now\.(?: Latest: .*)?", re.DOTALL
)
_STEER_ANSWER: Final = re.compile(r"\bsteer|\balready running\b|\bas a change\b", re.IGNORECASE)
_NEGATIVE: Final = re.compile(r"\b(?:no|not|cannot|can't|stopped|fail\w*|error|ends?)\b", re.IGNORECASE)

_WORD: Final = re.compile(r"[^\W_]+(?:['.-][^\W_]+)*")
_FUNCTION_WORDS: Final = frozenset(
    [
        "a",
        "about",
        "ah",
        "all",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "can't",
        "could",
        "did",
        "do",
        "does",
        "don't",
        "down",
        "er",
        "for",
        "from",
        "get",
        "go",
        "good",
        "had",
        "has",
        "have",
        "he",
        "her",
        "here",
        "him",
        "his",
        "hm",
        "how",
        "huh",
        "i",
        "i'd",
        "i'll",
        "i'm",
        "if",
        "in",
        "into",
        "is",
        "it",
        "it's",
        "its",
        "just",
        "know",
        "like",
        "me",
        "mean",
        "mm",
        "more",
        "my",
        "no",
        "not",
        "now",
        "of",
        "oh",
        "okay",
        "on",
        "one",
        "or",
        "our",
        "out",
        "over",
        "really",
        "right",
        "said",
        "say",
        "see",
        "she",
        "so",
        "some",
        "such",
        "than",
        "that",
        "that's",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "they're",
        "this",
        "those",
        "to",
        "too",
        "uh",
        "um",
        "up",
        "us",
        "very",
        "was",
        "we",
        "we're",
        "well",
        "were",
        "what",
        "when",
        "which",
        "who",
        "will",
        "with",
        "would",
        "yeah",
        "yes",
        "you",
        "you're",
        "your",
    ]
)


class _Kind(enum.Enum):
    """What an item that may be said is."""

    REPORT = "report"
    """The agent said something on its way."""
    LONE_REPORT = "lone_report"
    """The agent said something that no open call stands for: perhaps on its way, perhaps a result."""
    SIGN_OF_LIFE = "sign_of_life"
    """The agent has said nothing for a while, and still works."""
    RESULT = "result"
    """The last thing the agent said of a task."""
    ENDING = "ending"
    """How a task ended, in the words of the one who runs it."""
    ANSWER = "answer"
    """The answer of another tool."""
    STOP = "stop"
    """The answer to a stop; it says all of how the stopped task ended."""
    TAKEN = "taken"
    """A running task took a change."""
    KEPT = "kept"
    """A request waits for the end of the running task."""


_PASSING: Final = frozenset({_Kind.REPORT, _Kind.LONE_REPORT, _Kind.SIGN_OF_LIFE, _Kind.TAKEN})
"""What gives way to whatever was asked for or achieved."""
_OF_THE_TASK: Final = frozenset({_Kind.ENDING, _Kind.REPORT, _Kind.LONE_REPORT, _Kind.SIGN_OF_LIFE})
"""What a task that is stopped has to say; the answer to the stop says it all."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    kind: _Kind
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _OpenCall:
    name: str
    n_reports: int
    """How many reports there had been when it was called."""


def is_request(heard: Heard) -> bool:
    """Whether this was understood well enough to act on it."""
    words = _words(heard.text)
    if not words:
        return False
    if heard.from_grammar:
        return True
    n_content = len({word for word in words if word not in _FUNCTION_WORDS})
    if heard.confidence >= MIN_CONFIDENCE and n_content >= MIN_CONTENT_WORDS:
        return True
    # Free speech that comes out as just one of the control phrases hardly does so by chance.
    return heard.confidence >= MIN_ADDRESSED_CONFIDENCE and _is_control(" ".join(words[: MAX_SMALL_TALK_WORDS + 1]))


def _is_control(sentence: str) -> bool:
    patterns = (_STOP, _STATUS, _GREETING, _THANKS, _BYE)
    return any(pattern.fullmatch(sentence) for pattern in patterns) or updates.level_asked_for(sentence) is not None


def assured(heard: Heard, knows_request: Callable[[str], bool]) -> Heard:
    """The same, and certain enough to act on when its free words are a request that the agent knows.

    Words that were misheard hardly make up such a sentence by chance; single words may.
    """
    if heard.from_grammar or len(_words(heard.text)) < MIN_KNOWN_WORDS or not knows_request(heard.text):
        return heard
    return dataclasses.replace(heard, confidence=max(heard.confidence, MIN_CONFIDENCE))


def joined(utterances: tuple[Heard, ...]) -> Heard:
    """Several utterances as one: those that were understood, else the last."""
    understood = [heard for heard in utterances if is_request(heard)] or list(utterances[-1:])
    free = [heard.confidence for heard in understood if not heard.from_grammar]
    return Heard(
        text="\n".join(heard.text for heard in understood), confidence=min(free, default=1.0), from_grammar=not free
    )


class Dialog:
    """One conversation's dialog. The session tells it every item and every end of a reply, in order."""

    def __init__(self) -> None:
        self._news: list[_News] = []
        self._open: dict[str, _OpenCall] = {}
        self._n_reports = 0
        self._n_replies = 0
        self._asked_again = False
        self._last_question = False
        self._typed: list[str] = []
        self._saying: tuple[_News, ...] = ()
        self._interrupted: tuple[_News, ...] = ()
        self._permissions = Permissions()

    def user_wrote(self, text: str) -> None:
        """A text message of the user came into the conversation."""
        if text.startswith(AGENT_PREFIX):
            self._reported(text.removeprefix(AGENT_PREFIX))
        elif text.strip() and not text.startswith(USER_PREFIX):
            self._typed = [*self._typed, text.strip()][-MAX_NEWS:]

    def _reported(self, text: str) -> None:
        if self._permissions.told(text):
            return
        sign_of_life = _SIGN_OF_LIFE.fullmatch(text)
        if sign_of_life is not None:
            self._add(_Kind.SIGN_OF_LIFE, f"Still working on it, for {sign_of_life['elapsed']} now.")
            return
        self._n_reports += 1
        self._add(_Kind.REPORT if self._is_open(AGENT_TOOL) else _Kind.LONE_REPORT, text)

    def called(self, call_id: str, name: str) -> None:
        """A tool was called; its answer is still to come."""
        self._open[call_id] = _OpenCall(name=name, n_reports=self._n_reports)
        if len(self._open) > MAX_OPEN_CALLS:
            del self._open[next(iter(self._open))]

    def answered(self, call_id: str, output: str) -> None:
        """A tool's answer came."""
        call = self._open.pop(call_id, None)
        name = AGENT_TOOL if call is None else call.name
        if not output.strip():
            return
        if name == STOP_TOOL:
            # It says how the task ended, and what the task itself had to say about that is no news any more.
            self._news = [news for news in self._news if news.kind not in _OF_THE_TASK]
            self._add(_Kind.STOP, output)
        elif name == permission.TOOL:
            said = self._permissions.answered(output)
            if said is not None:
                self._add(_Kind.ANSWER, said)
        elif name == updates.TOOL:
            self._add(_Kind.ANSWER, updates.level_set(output) or output)
        elif name != AGENT_TOOL:
            self._add(_Kind.ANSWER, output)
        elif _KEPT_ANSWER.search(output):
            self._add(_Kind.KEPT, "")
        elif AGENT_PREFIX.strip() in output:
            self._finished(call)
        elif self._only_steered(output):
            self._add(_Kind.TAKEN, "")
        else:
            self._add(_Kind.ENDING, output)

    def heard(self, heard: Heard, tools: frozenset[str]) -> Reply:
        """The user spoke: what to say and do about it, with the tools the client offers."""
        if not is_request(heard):
            return self._not_understood(heard)
        self._asked_again = False
        self._saying = ()
        was_question, self._last_question = self._last_question, False
        asked = self._permissions.passed_over()
        decided = None if was_question else self._decided(heard, tools, asked=asked)
        if decided is not None:
            return decided
        small_talk = self._small_talk(heard, tools, was_question=was_question)
        if small_talk is not None:
            return small_talk
        if AGENT_TOOL not in tools:
            return Reply(say=self._vary(_NO_AGENT))
        busy = self._is_open(AGENT_TOOL)
        arguments = msgspec.json.encode({"prompt": heard.text.strip()}).decode()
        return Reply(
            say=self._vary(_PASSED_ON if busy else _ON_IT), call=ToolCall(name=AGENT_TOOL, arguments=arguments)
        )

    def _decided(self, heard: Heard, tools: frozenset[str], *, asked: str | None) -> Reply | None:
        """The reply to the user's answer to a request for permission; None when it is none."""
        words = _words(heard.text)
        # While an answer is being passed on, the next one is the client's to hear.
        if permission.TOOL not in tools or self._is_open(permission.TOOL) or len(words) > MAX_SMALL_TALK_WORDS:
            return None
        return self._permissions.answer(" ".join(words), asked=asked)

    def _small_talk(self, heard: Heard, tools: frozenset[str], *, was_question: bool) -> Reply | None:
        """The reply to what is no work for the agent; None for a request."""
        sentence = _words(heard.text)
        if len(sentence) > MAX_SMALL_TALK_WORDS:
            return None
        words = " ".join(sentence)
        for pattern, phrases in ((_GREETING, _HELLO), (_THANKS, _WELCOME), (_BYE, _GOODBYE), (_MUTE, _CANNOT_MUTE)):
            if pattern.fullmatch(words):
                return Reply(say=self._vary(phrases))
        if _NOD.fullmatch(words) and not was_question:
            return Reply()
        if STATUS_TOOL in tools and _STATUS.fullmatch(words):
            return Reply(call=ToolCall(name=STATUS_TOOL, arguments="{}"))
        if STOP_TOOL in tools and _STOP.fullmatch(words):
            return Reply(say=self._vary(_PASSED_ON), call=ToolCall(name=STOP_TOOL, arguments="{}"))
        level = updates.level_asked_for(words) if updates.TOOL in tools else None
        if level is not None:
            return Reply(call=ToolCall(name=updates.TOOL, arguments=msgspec.json.encode({"level": level}).decode()))
        return None

    def asked(self, tools: frozenset[str]) -> Reply:
        """The client wants a response: to what the user wrote, or else of what is new; perhaps of nothing."""
        if self._typed:
            text, self._typed = "\n".join(self._typed), []
            reply = self.heard(Heard(text=text, confidence=1.0, from_grammar=True), tools)
            if reply != Reply():
                return reply
        news = self._choose()
        request = self._permissions.due(by_voice=permission.TOOL in tools)
        if request is None:
            news = news or self._interrupted
            if not news:
                return Reply()
            self._permissions.passed_over()
        self._interrupted = ()
        self._saying = news
        say = " ".join([*map(self._phrase, news), *([] if request is None else [request])])
        self._last_question = say.endswith("?") and not self._permissions.is_asking
        return Reply(say=say)

    def interrupted(self) -> None:
        """What was being said was cut off: if nothing newer comes, it may be said again."""
        self._permissions.cut_off()
        if self._saying:
            self._interrupted, self._saying = self._saying, ()

    def _add(self, kind: _Kind, text: str) -> None:
        self._news = [*self._news, _News(kind=kind, text=text)][-MAX_NEWS:]

    def _finished(self, call: _OpenCall | None) -> None:
        """The reports before this are the result: the last of them, when it was not said yet."""
        for at in range(len(self._news) - 1, -1, -1):
            if self._news[at].kind is _Kind.REPORT:
                self._news[at] = dataclasses.replace(self._news[at], kind=_Kind.RESULT)
                return
        if call is not None and call.n_reports == self._n_reports:
            self._add(_Kind.ENDING, _NOTHING_TO_SAY[0])

    def _only_steered(self, output: str) -> bool:
        if _STEER_ANSWER.search(output):
            return True
        # An older task is still open: then this call went into that one.
        return self._is_open(AGENT_TOOL) and not _NEGATIVE.search(output)

    def _choose(self) -> tuple[_News, ...]:
        """Take what to say of what is new: what was asked for and what was achieved, else the newest there is."""
        due = [news for news in self._news if news.kind not in _PASSING]
        if due:
            # The newest of each kind; two kinds at most are new to anybody.
            newest = {news.kind: news for news in due}
            # Reports after the last of them are of other work, and keep.
            last = max(at for at, news in enumerate(self._news) if news is due[-1])
            before, self._news = self._news[:last], self._news[last + 1 :]
            chosen = [news for news in due if newest[news.kind] is news][-2:]
            return (*_untold(before, chosen), *chosen)
        # A sign of life says less than any report before it.
        told = [news for news in self._news if news.kind is not _Kind.SIGN_OF_LIFE] or self._news
        self._news = []
        return tuple(told[-1:])

    def _phrase(self, news: _News) -> str:
        if news.kind is _Kind.TAKEN:
            return self._vary(_TAKEN)
        if news.kind is _Kind.KEPT:
            return self._vary(_KEPT)
        return spoken_form(news.text) or self._vary(_ON_SCREEN)

    def _is_open(self, name: str) -> bool:
        """Whether a call of this tool waits for its answer."""
        return any(call.name == name for call in self._open.values())

    def _not_understood(self, heard: Heard) -> Reply:
        words = _words(heard.text)
        addressed = bool(_ADDRESSED.search(" ".join(words))) or heard.confidence >= MIN_ADDRESSED_CONFIDENCE
        n_content = sum(word not in _FUNCTION_WORDS for word in words)
        if self._asked_again or not addressed or n_content < MIN_CONTENT_WORDS:
            return Reply()
        self._asked_again = True
        return Reply(say=self._vary(_NOT_UNDERSTOOD))

    def _vary(self, phrases: tuple[str, ...]) -> str:
        phrase = phrases[self._n_replies % len(phrases)]
        self._n_replies += 1
        return phrase


def _untold(before: list[_News], chosen: list[_News]) -> list[_News]:
    """What may be a result and would be lost: the last report without a call, unless what is said has it already."""
    if any(news.kind not in (_Kind.ANSWER, _Kind.KEPT) for news in chosen):
        return []
    lone = [news for news in before if news.kind is _Kind.LONE_REPORT][-1:]
    return [news for news in lone if not any(spoken_form(news.text) in one.text for one in chosen)][: 2 - len(chosen)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("\u2019", "'"))
