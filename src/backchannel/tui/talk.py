"""`backchannel talk`: a conversation at a terminal, by a script of things to say or by typing.

The file is long because it is one run, from what was asked for to the exit status: its parts share the screen, the
sound card and the conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from backchannel.agents import make_agent
from backchannel.audio import Tape, VirtualSoundCard, read_wav, without_trailing_silence
from backchannel.config import Config, find_home
from backchannel.context import (
    Gatherer,
    StartRequest,
    default_prompt,
    resolve_session,
    user_first_name,
    user_language,
)
from backchannel.core import screen
from backchannel.engine import Engine, EngineOptions, TextToSpeech, find_speaker
from backchannel.errors import BackchannelError, ConnectionLost, SpeechError, UsageError
from backchannel.runtime import (
    Conversation,
    LocalEngine,
    Recorder,
    Settings,
    Target,
    choose_backend,
    server_target,
)
from backchannel.tui.chaos import cause_chaos
from backchannel.tui.commands import COMMANDS, Answer, Line, Mute, Quit, Status, Stop, Updates, read_line
from backchannel.tui.keeping import Keeping
from backchannel.tui.keyboard import typed_lines
from backchannel.tui.lines import Notice, ReplyHeard
from backchannel.tui.script import Moment, Script
from backchannel.wire.realtime import Modality

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from backchannel.context import Gathering, ResolvedSession
    from backchannel.net import Clock
    from backchannel.runtime import Backend
    from backchannel.tui.lines import Screen
    from backchannel.tui.script import Step

__all__ = ["EXIT_INTERRUPTED", "TalkOptions", "talk"]

EXIT_INTERRUPTED: Final = 130
_ENGINE_DIALECT: Final = "v2"
_LOCAL_OUTAGE_S: Final = 10.0
_TICK_S: Final = 0.05
_UNDERSTOOD_SPEAKER: Final = "flite"
"""Of requests without noise, the local recogniser understood 85 to 96 of 100 by two flite voices, and 6 to 25 by two of
espeak-ng's."""
_SCRIPT_VOICE: Final = "cedar"
"""The voice of what `--say` says; another than the assistant's."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TalkOptions:
    """What `talk` was asked for."""

    cwd: Path
    config: Config = dataclasses.field(default_factory=Config)
    """What holds where nothing else is asked for here."""
    realtime: str | None = None
    """`local`, `openai`, or the address of a realtime server; None for the configured one."""
    agent: str = "workspace"
    steps: tuple[Step, ...] = ()
    """What is said; empty: lines are typed."""
    typed_from: int | None = None
    """The descriptor that lines are typed at."""
    text_only: bool = False
    """Steps are typed instead of spoken, and the voice answers in writing."""
    dialect: str | None = None
    model: str | None = None
    voice: str | None = None
    out: Path | None = None
    record: Path | None = None
    chaos: bool = False
    """Whether the connection is broken now and then, to watch the conversation survive it."""
    timeout_s: float | None = 120.0
    store: Path | None = None
    """The file in which the conversation is kept; None for nowhere."""
    resume: str | None = None
    """The id of the thread that it goes on with, or `last` for the newest of the folder; None for a new one."""

    def __post_init__(self) -> None:
        self.session(prompt="")
        if self.is_local and self.dialect not in {None, _ENGINE_DIALECT}:
            raise UsageError(
                f"the local engine speaks {_ENGINE_DIALECT}, not {self.dialect}; leave out --dialect, or name a server"
            )
        if not self.cwd.is_dir():
            raise UsageError(f"expected a folder to work in, got {str(self.cwd)!r}; choose one with --cwd")
        if not self.steps and self.typed_from is None:
            raise UsageError(
                "there is nothing to say: give --say TEXT or --wav FILE, or start it at a terminal to type"
            )
        if self.text_only and self.out is not None:
            raise UsageError("--text has no sound that --out could save; leave one of them out")
        if self.resume is not None and self.store is None:
            raise UsageError("--resume goes on with what is kept; leave out --no-store, or set threads.store = true")

    @property
    def backend(self) -> Backend:
        """Whose voice it is."""
        return choose_backend(self.config, asked=self.realtime)

    @property
    def is_local(self) -> bool:
        """Whether it is that of the local engine."""
        return isinstance(self.backend, LocalEngine)

    def session(self, *, prompt: str, startup_context: str = "", thread_id: str | None = None) -> ResolvedSession:
        """What the realtime session is going to be."""
        config, version = self.config, self.dialect
        if self.is_local and version is None:
            version = _ENGINE_DIALECT
            if config.realtime.version not in (None, _ENGINE_DIALECT):
                # What is configured is the dialect of another server, and its voice.
                realtime = msgspec.structs.replace(config.realtime, voice=None)
                config = msgspec.structs.replace(config, realtime=realtime)
        request = StartRequest(
            version=version,
            model=self.model,
            voice=self.voice,
            modality=Modality.TEXT if self.text_only else Modality.AUDIO,
            thread_id=thread_id,
        )
        return resolve_session(config, request, default_prompt=prompt, startup_context=startup_context)


async def talk(options: TalkOptions, *, shown_on: Screen, env: Mapping[str, str], clock: Clock) -> int:
    """Have the conversation and return the exit status.

    Raises:
        BackchannelError: It could not begin.
    """
    talking = _Talk(options, shown_on=shown_on, env=env, clock=clock)
    async with contextlib.AsyncExitStack() as stack:
        return await talking.run(stack)


class _Talk:
    """One run of `talk`."""

    def __init__(self, options: TalkOptions, *, shown_on: Screen, env: Mapping[str, str], clock: Clock) -> None:
        self._options = options
        self._screen = shown_on
        self._env = env
        self._clock = clock
        self._began_at = clock.now()
        self._script = Script(options.steps)
        self._answers = 0
        self._needed: dict[str, None] = {}
        """The requests for permission that wait, in the order in which they came."""
        self._failure: BackchannelError | None = None
        self._sounds: dict[Step, bytes] = {}
        self._speaker: TextToSpeech | None = None
        self._card: VirtualSoundCard | None = None
        self._keeping: Keeping | None = None
        self._conversation: Conversation

    async def run(self, stack: contextlib.AsyncExitStack) -> int:
        """Prepare, converse, clean up."""
        signals = _Signals(stack)
        try:
            await self._prepare(stack)
        except asyncio.CancelledError:
            if not signals.took_back():
                raise
            return EXIT_INTERRUPTED
        signals.cancel_nothing()
        return await self._converse(signals.came)

    async def _prepare(self, stack: contextlib.AsyncExitStack) -> None:
        for notice in self._options.config.notices:
            self._notice(notice)
        if self._options.store is not None:
            keeping = Keeping(
                self._options.store, cwd=self._options.cwd, resume=self._options.resume, notice=self._notice
            )
            self._keeping = await stack.enter_async_context(keeping)
        # It looks around while everything else gets ready.
        store, thread_id = (None, None) if self._keeping is None else (self._keeping.store, self._keeping.thread_id)
        gatherer = Gatherer(env=self._env, home=find_home(self._env), store=store, clock=self._clock)
        gathering = gatherer.begin(
            str(self._options.cwd), thread_id=thread_id, options=self._options.config.realtime.context
        )
        # The agent is named and the sounds are read before anything is started, so that a slip costs no time.
        agent = await asyncio.to_thread(
            make_agent,
            self._options.agent,
            cwd=self._options.cwd,
            env=self._env,
            config=self._options.config,
            thread_id=thread_id,
            earlier=() if self._keeping is None else await self._keeping.earlier(),
            on_notice=self._notice,
        )
        stack.push_async_callback(agent.close)
        if not self._options.text_only:
            self._sounds = {step: await self._sound(step) for step in self._options.steps}
        recorder = None
        if self._options.record is not None:
            recorder = await stack.enter_async_context(Recorder(self._options.record))
        if not self._options.text_only:
            tape = None
            if self._options.out is not None:
                tape = await stack.enter_async_context(Tape(self._options.out))
            self._card = VirtualSoundCard(clock=self._clock, tape=tape)
        target = await self._target(stack)
        self._conversation = Conversation(
            await self._settings(target, gathering),
            agent=agent,
            clock=self._clock,
            player=self._card,
            recorder=recorder,
        )
        await self._conversation.start()

    async def _converse(self, interrupted: asyncio.Event) -> int:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._show(), name="screen")
            helpers = [tasks.create_task(self._drive(), name="drive")]
            ends = [
                helpers[0],
                tasks.create_task(self._conversation.ended(), name="ended"),
                tasks.create_task(_set(interrupted), name="signals"),
            ]
            if self._options.chaos:
                breaking = cause_chaos(self._conversation.break_connection, may_break=self._may_break)
                helpers.append(tasks.create_task(breaking, name="chaos"))
            if self._card is not None:
                helpers.append(tasks.create_task(self._card.run(self), name="sound card"))
            try:
                done, _ = await asyncio.wait(ends, timeout=self._options.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*ends, *helpers):
                    task.cancel()
                await self._conversation.stop()
        if interrupted.is_set():
            return EXIT_INTERRUPTED
        if not done:
            raise BackchannelError(
                f"not everything was said and done within {self._options.timeout_s:g} s; allow more with --timeout"
            )
        if self._failure is not None:
            raise self._failure
        return 0

    def _may_break(self) -> bool:
        # What is just being said would be lost, and nobody would say it again.
        saying = self._card is not None and self._card.is_saying
        return not saying and not self._conversation.activity().reconnecting

    # What a sound card tells

    def captured(self, data: str) -> None:
        """A frame of the microphone goes to the conversation."""
        self._conversation.append_audio(data)

    def played(self, item_id: str, total_ms: int) -> None:
        """So does what was heard."""
        self._conversation.played(item_id, total_ms)
        if self._card is not None and (latency_s := self._card.take_latency()) is not None:
            self._tell(ReplyHeard(latency_ms=round(latency_s * 1000)))

    # The two ways to say something

    async def _drive(self) -> None:
        if self._options.steps:
            await self._follow_script()
        elif self._options.typed_from is not None:
            async with typed_lines(self._options.typed_from) as lines:
                await self._follow_lines(lines)

    async def _follow_script(self) -> None:
        while True:
            moment = self._moment()
            if self._script.done(moment):
                return
            if moment.activity.reconnecting:
                # Nobody would hear it.
                pass
            elif (step := self._script.due(moment)) is not None:
                await self._say(step)
            elif (skipped := self._script.skipped(moment)) is not None:
                self._tell(Notice(message=f"not said, because no task was running: {skipped.name}"))
            await asyncio.sleep(_TICK_S)

    async def _follow_lines(self, lines: AsyncIterator[str]) -> None:
        self._tell(Notice(message=f"type what you want, or a command: {', '.join(COMMANDS)}"))
        async for line in lines:
            try:
                command = read_line(line)
            except UsageError as exc:
                self._notice(str(exc))
                continue
            if isinstance(command, Quit):
                return
            if command is not None:
                await self._obey(command)

    async def _obey(self, command: Line | Status | Stop | Mute | Updates | Answer) -> None:
        match command:
            case Line(text=text):
                await self._conversation.type_text(text)
            case Status():
                self._tell(screen.StatusAnswered(text=self._conversation.status()))
            case Stop():
                await self._conversation.stop_task()
            case Mute(muted=muted):
                self._conversation.mute(muted=muted)
            case Updates(level=level):
                self._conversation.set_updates(level)
            case Answer():
                self._answer(command)
            case _:
                assert_never(command)

    def _answer(self, answer: Answer) -> None:
        waiting = self._needed
        asked = [answer.approval_id] if answer.approval_id is not None else list(waiting)
        if len(asked) != 1 or asked[0] not in waiting:
            which = ", ".join(waiting) or "none"
            self._notice(f"expected the id of a request for permission that waits; there are: {which}")
            return
        self._conversation.answer_approval(asked[0], approved=answer.approved)

    async def _say(self, step: Step) -> None:
        if self._card is None:
            await self._conversation.type_text(step.text)
        else:
            self._card.say(self._sounds[step])

    def _moment(self) -> Moment:
        return Moment(
            now=self._clock.now(),
            activity=self._conversation.activity(),
            saying=self._card is not None and self._card.is_saying,
            answers=self._answers,
        )

    # The screen

    async def _show(self) -> None:
        async for event in self._conversation.events():
            if self._keeping is not None:
                self._keeping.note(event)
            self._tell(event)
            match event:
                case screen.TranscriptDone(speaker="assistant"):
                    self._answers += 1
                case screen.ConversationReconnecting():
                    if self._card is not None:
                        self._card.expect_no_answer()
                case screen.ApprovalNeeded(approval_id=approval_id):
                    self._needed[approval_id] = None
                case screen.ApprovalSettled(approval_id=approval_id):
                    self._needed.pop(approval_id, None)
                case screen.ConversationFailed(message=message):
                    self._failure = BackchannelError(
                        f"the conversation failed: {message}; --record keeps what led to it"
                    )
                case screen.ConversationClosed(reason=screen.CloseReason.TRANSPORT_CLOSED, detail=detail):
                    self._failure = ConnectionLost(
                        f"the realtime server ended the conversation ({detail}); try again, and if it stays, look at"
                        " what the server says of it"
                    )
                case _:
                    pass

    def _tell(self, event: screen.ScreenEvent | ReplyHeard | Notice) -> None:
        self._screen.show(self._clock.now() - self._began_at, event)

    # Preparations

    async def _sound(self, step: Step) -> bytes:
        if step.sound is not None:
            return await asyncio.to_thread(_spoken, step.sound)
        if self._speaker is None:
            self._speaker = await self._find_speaker()
        pieces = [piece async for piece in self._speaker.speak(step.text, voice=_SCRIPT_VOICE)]
        return without_trailing_silence(b"".join(pieces))

    async def _find_speaker(self) -> TextToSpeech:
        speaker = await find_speaker(self._env)
        if speaker is None:
            raise SpeechError(
                "nothing here can speak the words of --say: install flite or espeak-ng, or give --wav or --text"
            )
        if self._options.is_local and speaker.name != _UNDERSTOOD_SPEAKER:
            self._notice(
                f"--say speaks with {speaker.name}, of which the local engine understands little;"
                f" install {_UNDERSTOOD_SPEAKER} to be understood, or use --text"
            )
        return speaker

    async def _target(self, stack: contextlib.AsyncExitStack) -> Target:
        match self._options.backend:
            case LocalEngine():
                engine = await stack.enter_async_context(Engine(EngineOptions(env=self._env, on_notice=self._notice)))
                return Target(base_url=engine.url, env=self._env)
            case server:
                return server_target(server, env=self._env)

    async def _settings(self, target: Target, gathering: Gathering) -> Settings:
        first_name = await asyncio.to_thread(user_first_name)
        prompt = default_prompt(
            first_name, language=user_language(self._env), tools=self._options.config.realtime.tools
        )
        context = await gathering.collect()
        thread_id = None if self._keeping is None else self._keeping.thread_id
        session = self._options.session(prompt=prompt, startup_context=context.text, thread_id=thread_id)
        if self._options.is_local:
            # An engine on this machine that is gone does not come back.
            options = msgspec.structs.replace(session.options, give_up_after_s=_LOCAL_OUTAGE_S)
            session = dataclasses.replace(session, options=options)
        return Settings.of(session, target=target)

    def _notice(self, message: str) -> None:
        self._tell(Notice(message=message))


class _Signals:
    """Ctrl-C, SIGTERM and a terminal that goes away: they cancel the preparations, and then only say that they came.

    Ownership: the stack lets go of them, after everything that was put on it later.
    """

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        self.came = asyncio.Event()
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                # Started with nohup, to outlive its terminal.
                continue
            loop.add_signal_handler(number, self._come)
            stack.callback(loop.remove_signal_handler, number)

    def cancel_nothing(self) -> None:
        """The preparations are over."""
        self._task = None

    def took_back(self) -> bool:
        """Whether a cancellation was a signal's; then it is not one any more."""
        task, self._task = self._task, None
        if task is None or not self.came.is_set():
            return False
        return task.uncancel() == 0

    def _come(self) -> None:
        if self._task is not None and not self.came.is_set():
            self._task.cancel()
        self.came.set()


def _spoken(path: Path) -> bytes:
    """The speech of a file; it blocks."""
    return without_trailing_silence(read_wav(path))


async def _set(event: asyncio.Event) -> None:
    await event.wait()
