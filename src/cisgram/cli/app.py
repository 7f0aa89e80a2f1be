"""The command table and the one place where errors become a line and an exit code.

Commands are registered by name and imported when they are typed, so that
`cisgram --help` loads neither numpy nor anything that needs it.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter

from cisgram import __doc__ as description
from cisgram import __version__
from cisgram.core.checks import CisgramError

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


def _shown_default(value: object) -> str | None:
    """Show no default that stands for an option left out."""
    return None if value is None or value == () else str(value)


app = App(
    name="cisgram",
    help=description,
    version=__version__,
    help_format="markdown",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative_iterable=(), show_default=_shown_default),
)
_COMMANDS = (
    ("demo:demo", "demo", "Run the main jobs on the real data inside the package."),
    ("data:app", "data", "List, fetch and show named public data sets."),
    (
        "cohort:app",
        "cohort",
        "Import genotypes and expression as a checked cohort; show one.",
    ),
    ("personal:app", "personal", "Model expression across people from their genotypes."),
    ("train:train", "train", "Train a model as a recipe says."),
    ("predict:predict", "predict", "Predict genes, regions and sequences."),
    ("predict:embed", "embed", "Embed regions and sequences: the output of a layer of any model."),
    ("variants:app", "variants", "Score variants by what a model predicts of both alleles."),
    ("explain:app", "explain", "Show which bases a model's predictions depend on."),
    ("models:app", "models", "List and show models; convert published weights; join models."),
    ("bench:app", "bench", "Evaluate models on frozen tasks, beside baselines."),
    ("report:report", "report", "Write one self-contained HTML page about fitted models."),
)
for _number, (_place, _name, _help) in enumerate(_COMMANDS):
    app.command(f"cisgram.cli.{_place}", name=_name, help=_help, sort_key=_number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 is success, 2 an input that cannot be used (one line on stderr says which
    and what to do), 130 an interruption, 141 a closed pipe.

    Args:
        arguments: words after the program's name; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(words, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        return _refuse(f"{_wording(error, words)} {_where_to_read(error)}")
    except CisgramError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        _complain("interrupted; run the same command again (a training with --resume) to go on.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader left; what Python still holds for it must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        if error.filename is None:
            raise
        return _refuse(f"{error.filename}: {error.strerror}; check the path.")
    return 0


def _wording(error: CycloptsError, words: Sequence[str]) -> str:
    """Say of an option nobody typed that it is missing, not that it lacks a value."""
    if not isinstance(error, MissingArgumentError) or error.argument is None:
        return str(error)
    typed = any(word.partition("=")[0] == error.argument.name for word in words)
    return str(error) if typed else str(error).replace("requires an argument", "is missing")


def _where_to_read(error: CycloptsError) -> str:
    command = " ".join(("cisgram", *(error.command_chain or ())))
    return f"See {command} --help."


def _refuse(message: str) -> int:
    _complain(message)
    return BAD_INPUT


def _complain(message: str) -> None:
    sys.stderr.write(f"cisgram: {' '.join(message.split())}\n")
