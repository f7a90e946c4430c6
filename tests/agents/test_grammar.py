from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TypeAlias

import pocketsphinx
import pytest

from backchannel.agents import spoken_grammar
from backchannel.agents.workspace.understanding import CONVERSATION, understand, understand_steer

Node: TypeAlias = "tuple[str, str] | tuple[str, list[Node]]"

TOKEN = re.compile(r"<\w+>|[()\[\]|]|[^\s()\[\]|<>]+")


def rules() -> dict[str, list[str]]:
    """The tokens of each rule."""
    text = re.sub(r"//.*", "", spoken_grammar())
    return {found[1]: TOKEN.findall(found[2]) for found in re.finditer(r"(?:public\s+)?<(\w+)>\s*=\s*([^;]*);", text)}


class Sampler:
    """Makes sentences of a grammar: the shape of a rule is read again each time it is used."""

    def __init__(self, seed: int) -> None:
        self._rules = rules()
        self._random = random.Random(seed)

    def sentence(self, rule: str) -> str:
        tokens = self._rules[rule]
        words, end = self._choice(tokens, 0)
        assert end == len(tokens), f"{rule} is not closed"
        return " ".join(words)

    def _choice(self, tokens: list[str], at: int) -> tuple[list[str], int]:
        options: list[list[str]] = []
        while True:
            words, at = self._sequence(tokens, at)
            options.append(words)
            if at == len(tokens) or tokens[at] != "|":
                return self._random.choice(options), at
            at += 1

    def _sequence(self, tokens: list[str], at: int) -> tuple[list[str], int]:
        words: list[str] = []
        while at < len(tokens) and tokens[at] not in "|)]":
            token = tokens[at]
            if token in "([":
                inner, at = self._choice(tokens, at + 1)
                if token == "(" or self._random.random() < 0.4:
                    words += inner
            elif token.startswith("<"):
                words += self.sentence(token[1:-1]).split()
            else:
                words.append(token)
            at += 1
        return words, at


def dictionary() -> set[str]:
    path = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    return {line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}


def test_every_word_can_be_pronounced() -> None:
    words = {token for tokens in rules().values() for token in tokens if token[0] not in "<([])|"}
    assert len(words) > 300
    assert words - dictionary() == set()


def test_every_rule_is_there_and_used() -> None:
    grammar = rules()
    used = {token[1:-1] for tokens in grammar.values() for token in tokens if token.startswith("<")}
    assert used == set(grammar) - {"sentence"}


def test_the_recogniser_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "requests.gram"
    path.write_text(spoken_grammar(), encoding="utf-8")
    decoder = pocketsphinx.Decoder(jsgf=str(path), loglevel="FATAL")
    decoder.start_utt()
    decoder.end_utt()


@pytest.mark.parametrize(
    "rule",
    [
        "asked",
        "changes",
        "commits",
        "authors",
        "testing",
        "searching",
        "showing",
        "failure",
        "describing",
        "listing",
        "tree",
        "branch",
        "progress",
        "helping",
    ],
)
def test_every_request_of_the_grammar_is_understood(rule: str) -> None:
    sampler = Sampler(seed=11)
    for _ in range(300):
        sentence = sampler.sentence(rule)
        assert understand(sentence) is not None, sentence
        assert understand_steer(sentence) is not None, sentence


@pytest.mark.parametrize("rule", ["steered", "stop"])
def test_every_steer_of_the_grammar_is_understood(rule: str) -> None:
    sampler = Sampler(seed=12)
    for _ in range(500):
        sentence = sampler.sentence(rule)
        assert understand_steer(sentence) is not None, sentence


def test_the_words_of_conversation_are_listed() -> None:
    sampler = Sampler(seed=13)
    assert {sampler.sentence("manners") for _ in range(3000)} <= CONVERSATION


@pytest.mark.parametrize(
    "sentence",
    ["what changed this week", "run the tests", "how is it going", "only the core tests", "stop", "why did it fail"],
)
def test_what_a_newcomer_says_first_is_in_it(sentence: str) -> None:
    assert Matcher().matches(sentence)


class Matcher:
    """Whether a sentence is of the grammar: the rules as one regular expression."""

    def __init__(self) -> None:
        self._rules = rules()

    def matches(self, sentence: str) -> bool:
        return re.fullmatch(self._pattern("sentence"), "".join(f"{word} " for word in sentence.split())) is not None

    def _pattern(self, rule: str) -> str:
        signs = {"(": "(?:", ")": ")", "[": "(?:", "]": ")?", "|": "|"}
        parts = [
            self._pattern(token[1:-1]) if token.startswith("<") else signs.get(token, re.escape(token) + " ")
            for token in self._rules[rule]
        ]
        return f"(?:{''.join(parts)})"
