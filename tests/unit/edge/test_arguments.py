"""What commands say to wrong words: what was meant, and where a flag belongs."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

import pytest

import convert.cli
import convert.commands.examples
import edge.cli
import edge.commands.examples
from edge.arguments import Parser


def refused(capsys: pytest.CaptureFixture[str], words: str, program: Parser | None = None) -> str:
    with pytest.raises(SystemExit) as ended:
        (program or edge.cli.parser()).parse_args(words.split())
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("statuss", "statuss: no such command; did you mean status?"),
        ("license list", "license: no such command; did you mean licence?"),
        ("bundle actvate x", "actvate: no such command; did you mean activate?"),
        ("check --confg x", "usage: axi-edge check"),
        ("check --confg x", "--confg x: no such flag; did you mean --config?"),
        ("check --conf x", "--conf x: no such flag; did you mean --config?"),
        ("status --verbose", "no such flag; axi-edge status --help lists them"),
        ("check --debug", "--debug: goes before the command: axi-edge --debug ..."),
        ("--config x check", "--config: goes behind the command"),
        ("station --prt 80", "--prt: no such flag; axi-edge station --help lists them"),
        ("check now", "now: one word too many"),
        ("relaod --config x", "relaod: no such command; did you mean reload?"),
        ("bundle acitvate --type x reference", "acitvate: no such command; did you mean activate?"),
        ("--log-level debug status", "argument --log-level: invalid choice: 'debug'"),
        ("upgrade watch --within -1", "--within"),
        ("upgrade watch --within=-1", "'-1' is no number of seconds above 0"),
        ("inspect J --bundle reference --threads 9999999999", "a whole number from 1 to 64"),
        ("inspect J --bundle reference --threads 0", "a whole number from 1 to 64"),
    ],
)
def test_wrong_words_have_a_remedy(words: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, words)


@pytest.mark.parametrize(
    "words",
    [
        ["sample", "--type", ""],
        ["sample", "--type="],
        ["review", "import", ""],
        ["setup", "--broker", "  "],
    ],
)
def test_nothing_in_quotes_is_no_answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        edge.cli.parser().parse_args(words)
    assert "is empty; say it" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["keys --out https://k/k", "split lot --out s3://b/p", "adopt https://x/l --out o"])
def test_an_address_is_no_folder(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "an address; name a folder or file on this computer" in refused(capsys, words, convert.cli.parser())


def test_the_workstations_program_does_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean import?" in refused(capsys, "imprt x", convert.cli.parser())
    assert "did you mean --out?" in refused(capsys, "simulate --ou x", convert.cli.parser())


def test_what_is_said_before_a_command_below_holds_for_it_too() -> None:
    said = edge.cli.parser().parse_args(["station", "--config", "/x.toml", "user", "add", "eva"])
    assert (str(said.config), said.name, said.role) == ("/x.toml", "eva", "specialist")
    said = edge.cli.parser().parse_args(["station", "--config", "/x.toml", "user", "add", "eva", "--config", "/y.toml"])
    assert str(said.config) == "/y.toml"
    said = edge.cli.parser().parse_args(["setup", "--no-start", "share", "--password-file", "p"])
    assert said.no_start


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for each in dict.fromkeys(action.choices.values()):
            yield from leaves(each)
    yield parser


@pytest.mark.parametrize("program", [edge.cli.parser(), convert.cli.parser()], ids=["axi-edge", "axi-convert"])
def test_every_command_says_what_it_does_and_every_argument_what_it_is(program: Parser) -> None:
    for command in leaves(program):
        assert command.description, command.prog
        own = [action for action in command._actions if not isinstance(action, argparse._SubParsersAction)]
        assert [action.option_strings or action.dest for action in own if not action.help] == [], command.prog
        command.format_help()


@pytest.mark.parametrize(
    ("program", "examples"),
    [(edge.cli.parser(), edge.commands.examples.EXAMPLES), (convert.cli.parser(), convert.commands.examples.EXAMPLES)],
    ids=["axi-edge", "axi-convert"],
)
def test_every_command_has_an_example_that_is_right(program: Parser, examples: tuple[str, ...]) -> None:
    for example in examples:
        program.parse_args(shlex.split(example)[1:])
    runs = [command for command in leaves(program) if command.get_default("action") is not None]
    assert runs
    assert [command.prog for command in runs if "example: axi-" not in (command.epilog or "")] == []
