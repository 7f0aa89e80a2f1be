"""The list of commands and options changes on purpose only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from cisgram.cli.app import app

SNAPSHOT = Path(__file__).parent / "cli_options.txt"
PLAIN = {"--help", "-h", "--version"}


def commands(node: App, words: tuple[str, ...]) -> Iterator[str]:
    """Yield a line for each command: its words, then its options."""
    if node.default_command is not None:
        arguments = node.assemble_argument_collection()
        options = [
            argument.name if argument.required else f"[{argument.name}]"
            for argument in arguments
            if argument.show
        ]
        yield " ".join((*words, *options))
    for name in node:
        if name not in PLAIN:
            yield from commands(node[name], (*words, name))


def test_options_are_those_of_the_snapshot(request: pytest.FixtureRequest) -> None:
    found = "\n".join(commands(app, ("cisgram",))) + "\n"
    if request.config.getoption("--update-snapshots"):
        SNAPSHOT.write_text(found)
    assert found == SNAPSHOT.read_text(), "if meant: pytest tests/contracts --update-snapshots"
