"""Write the reference of the command line from the program itself.

    python scripts/cli_reference.py > cli.md

Every command with its description, and every option with its help, its choices and its default.
While the site is built, `docs_site.py` puts them into docs/reference/cli.md.
"""

import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Literal, get_args, get_origin

from cyclopts import App
from cyclopts.argument import Argument

from cisgram.cli.app import app

OPTIONS_OF_ALL = {"--help", "-h", "--version"}
KINDS = {Path: "PATH", int: "INTEGER", float: "NUMBER", str: "TEXT"}


def nodes(node: App, words: tuple[str, ...] = ("cisgram",)) -> Iterator[tuple[str, App]]:
    """Yield every group and command below one, with the words that call it."""
    for name in node:
        if name not in OPTIONS_OF_ALL:
            yield " ".join((*words, name)), node[name]
            yield from nodes(node[name], (*words, name))


def reference() -> str:
    """Return a section for every command, as Markdown."""
    return "\n".join(_section(words, node) for words, node in nodes(app))


def _section(words: str, node: App) -> str:
    level = "#" * len(words.split())
    title = f"{level} `{words}`\n"
    if node.default_command is None:
        return "\n".join([title, f"{node.help}\n"])
    arguments = [
        argument
        for argument in node.assemble_argument_collection(parse_docstring=True)
        if argument.show
    ]
    about = cleandoc(node.help).partition("\n\nArgs:")[0]
    usage = "\n".join(["```text", _usage(words, arguments), "```"])
    return "\n".join([title, f"{about}\n", f"{usage}\n", *map(_entry, arguments)])


def _usage(words: str, arguments: list[Argument]) -> str:
    named = [
        _spelled(argument) for argument in arguments if argument.required or _by_place(argument)
    ]
    optional = ["[OPTIONS]"] if len(named) < len(arguments) else []
    return " ".join([words, *named, *optional])


def _entry(argument: Argument) -> str:
    help_text = " ".join((argument.parameter.help or "").split())
    return f"`{_spelled(argument, every=True)}`\n:   {help_text}{_facts(argument)}\n"


def _facts(argument: Argument) -> str:
    facts = []
    if argument.required and not _by_place(argument):
        facts.append("Required.")
    if choices := argument.get_choices():
        facts.append(f"One of {', '.join(f'`{choice}`' for choice in choices)}.")
    if default := _default(argument):
        facts.append(f"Default: `{default}`.")
    return "".join(f" *{fact}*" for fact in facts)


def _default(argument: Argument) -> str:
    """Write the default as it would be typed; nothing where leaving an option out says it all."""
    value = argument.field_info.default
    if argument.required or value in (None, (), argument.field_info.empty):
        return ""
    if argument.is_flag():
        return argument.name if value else "".join(argument.negatives)
    return str(value)


def _by_place(argument: Argument) -> bool:
    return not argument.name.startswith("-")


def _spelled(argument: Argument, *, every: bool = False) -> str:
    """Write an argument as it is typed, with its negative where all spellings are asked for."""
    if _by_place(argument):
        return f"{argument.name}..." if argument.is_var_positional() else argument.name
    if argument.is_flag():
        return " / ".join((argument.name, *argument.negatives)) if every else argument.name
    return f"{argument.name} {_kind(argument.hint)}"


def _kind(hint: object) -> str:
    """Name the kind of value that an option takes."""
    members = [member for member in get_args(hint) if member not in (type(None), ...)]
    if get_origin(hint) in (tuple, list):
        return f"{_kind(members[0])}..."
    if get_origin(hint) is Literal:
        return "CHOICE"
    return _kind(members[0]) if members else KINDS.get(hint, "TEXT")


if __name__ == "__main__":
    sys.stdout.write(reference())
