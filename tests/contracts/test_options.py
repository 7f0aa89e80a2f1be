"""The list of commands and options changes on purpose only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from cisgram.cli.app import app, main

SNAPSHOT = Path(__file__).parent / "cli_options.txt"
PLAIN = {"--help", "-h", "--version"}


def nodes(node: App, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], App]]:
    """Yield each command with its words."""
    if node.default_command is not None:
        yield words, node
    for name in node:
        if name not in PLAIN:
            yield from nodes(node[name], (*words, name))


def options(node: App) -> list[str]:
    """Return a command's options, those that may be left out in brackets."""
    return [
        argument.name if argument.required else f"[{argument.name}]"
        for argument in node.assemble_argument_collection()
        if argument.show
    ]


def test_options_are_those_of_the_snapshot(request: pytest.FixtureRequest) -> None:
    lines = [" ".join((*words, *options(node))) for words, node in nodes(app, ("cisgram",))]
    found = "\n".join(lines) + "\n"
    if request.config.getoption("--update-snapshots"):
        SNAPSHOT.write_text(found)
    assert found == SNAPSHOT.read_text(), "if meant: pytest tests/contracts --update-snapshots"


def test_every_option_is_explained_in_a_sentence() -> None:
    found = {
        f"{' '.join(words)} {argument.name}": argument.parameter.help or ""
        for words, node in nodes(app, ("cisgram",))
        for argument in node.assemble_argument_collection(parse_docstring=True)
        if argument.show
    }
    # A value, or how a file is called, stands as it is written.
    assert not {
        name: text
        for name, text in found.items()
        if not (text[:1].isupper() or text.startswith(("`", ".", "model_")))
    }


def test_help_shows_no_empty_default_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["personal", "fit", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "[default: 0.01]" in shown
    assert "()" not in shown
    assert "`" not in shown
