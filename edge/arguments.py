"""How commands read what they are given: no abbreviations, near names where one is wrong, defaults in every help."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from edge.core.errors import UsageError

FIRST = ("--debug", "--log-level", "--version")
"""Flags of the whole program."""
_OTHER_WORDS = {
    "license": "licence",
    "doctor": "check",
    "start": "run",
    "log": "tail",
    "watch": "tail",
    "help": "--help",
}
_UNSAID = (None, False, True, "", argparse.SUPPRESS)


class _Help(argparse.HelpFormatter):
    """Says each default that there is, once."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        silent = action.default in _UNSAID or isinstance(action.default, list | tuple) or not action.option_strings
        if silent or "default" in text or "(" in text:
            return text
        return f"{text} (%(default)s)" if text else "default: %(default)s"


class _Commands(argparse._SubParsersAction):  # type: ignore[type-arg]  # noqa: SLF001 - argparse has no public name
    """What is said before a command holds for it, too, unless it is said again behind it."""

    def add_parser(self, name: str, **words: Any) -> Any:
        text = words.get("help", "")
        words.setdefault("description", f"{text[:1].upper()}{text[1:]}." if text else None)
        return super().add_parser(name, **words)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        before = dict(vars(namespace))
        super().__call__(parser, namespace, values, option_string)
        chosen = self._name_parser_map[values[0]]
        for key, said in before.items():
            defaults = [each.get_default(key) for each in _all(chosen)]
            if said != parser.get_default(key) and getattr(namespace, key) in defaults:
                setattr(namespace, key, said)


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a program, or of a command, by name."""
    actions = [action for action in parser._actions if isinstance(action, _Commands)]  # noqa: SLF001
    return {name: each for action in actions for name, each in action.choices.items()}


def _all(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """It, and all below it."""
    yield parser
    for each in _below(parser).values():
        yield from _all(each)


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    return [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        remedy = f"write it with a point, {text.replace(',', '.')}" if "," in text else "such as 0.5"
        raise argparse.ArgumentTypeError(f"{text!r}: no number; {remedy}") from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: no whole number, such as 3") from None


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number of these."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number from {least} to {most}")
        return int(text)

    return read


def require_text(arguments: argparse.Namespace) -> None:
    """Raises UsageError where a word, unlike a path, has bytes that are no text: it would stand in messages."""
    for name, value in vars(arguments).items():
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            shown = value.encode("utf-8", "backslashreplace").decode()
            raise UsageError(f"{name}: {shown}: no text in UTF-8; write it in a terminal that speaks that")


def with_examples(program: argparse.ArgumentParser, examples: Iterable[str]) -> None:
    """Each stands at the end of the help of its command."""
    below = {parser.prog: parser for parser in _all(program)}
    for example in examples:
        words = example.split()
        prog = next(" ".join(words[:n]) for n in range(len(words), 0, -1) if " ".join(words[:n]) in below)
        below[prog].epilog = f"example: {example}"


class Parser(argparse.ArgumentParser):
    """For a program and all its commands."""

    def __init__(self, **words: Any) -> None:
        words.setdefault("formatter_class", _Help)
        words.setdefault("allow_abbrev", False)
        super().__init__(**words)
        self.register("action", "parsers", _Commands)
        self.register("type", float, _number)
        self.register("type", int, _integer)
        self._given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._given = sys.argv[1:] if args is None else list(args)
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"{' '.join(left)}: {self._remedy(left[0])}")
        return found, left

    def _remedy(self, word: str) -> str:
        name = word.partition("=")[0]
        if name in FIRST:
            return f"goes before the command: {self.prog.split()[0]} {name} ..."
        if not word.startswith("-"):
            return "one word too many"
        near = difflib.get_close_matches(name, _flags(self), n=1)
        return f"no such flag; did you mean {near[0]}?" if near else f"no such flag; {self.prog} --help lists them"

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Nothing in quotes is no answer: it would be taken for a flag that was left out, or for this folder."""
        a_word = not action.option_strings and action.type is None  # a board type may have no name
        if not isinstance(action, _Commands) and not a_word and not all(text.strip() for text in arg_strings):
            remedy = "say it, or leave it out" if action.option_strings else "say it"
            raise argparse.ArgumentError(action, f"is empty; {remedy}")
        address = next((text for text in arg_strings if re.match(r"\w{2,}://", text)), "")
        if address and isinstance(action.type, type) and issubclass(action.type, Path):
            raise argparse.ArgumentError(action, f"{address}: an address; name a folder or file on this computer")
        return super()._get_values(action, arg_strings)

    def _unknown(self, words: Sequence[str]) -> list[str]:
        """Those that are flags, and none of this command's."""
        flags = [word for word in words if re.match("-[^0-9]", word)]
        return [word for word in flags if word.partition("=")[0] not in _flags(self)]

    def error(self, message: str) -> NoReturn:
        choices, strange = _below(self), self._unknown(self._given)
        if strange and "are required" in message:  # it may be one of those, misspelt
            message = f"{strange[0]}: {self._remedy(strange[0])}; {message}"
        if choices and "invalid choice" in message and not message.startswith("argument -"):
            message = self._wrong_command(message, choices)
        super().error(message)

    def _wrong_command(self, message: str, choices: Iterable[str]) -> str:
        """Which command was meant; or a flag of one came before it."""
        names = list(choices)
        said = message.partition("invalid choice: ")[2].partition(" (choose")[0].strip("'\"")
        before = self._given[: self._given.index(said)] if said in self._given else self._given
        early = self._unknown(before)
        if early and any(early[0].partition("=")[0] in _flags(each) for each in _all(self)):
            return f"{early[0]}: goes behind the command: {self.prog} COMMAND {early[0]} ..."
        if early:
            return f"{early[0]}: {self._remedy(early[0])}"
        meant = _OTHER_WORDS.get(said, "")
        near = [meant] if meant in names else difflib.get_close_matches(said.lower(), names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{said}: no such command; {hint}There are: {', '.join(names)}"
