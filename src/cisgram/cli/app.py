"""The command table and the one place where errors become a line and an exit code.

Commands are registered by name and imported when they are typed, so that
`cisgram --help` loads neither numpy nor anything that needs it.
"""

import io
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter

from cisgram import __doc__ as description
from cisgram import __version__
from cisgram.cli.claims import claimed, spooled
from cisgram.cli.options import say
from cisgram.core.checks import CisgramError, CisgramWarning

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
SIGNALLED = 128
_STDERR = 2
_WORD, _SENTENCE = 200, 1_200
"""Characters of a word, and of a message, that are shown."""
_LONG = re.compile(rf"\S{{{_WORD + 1},}}")


_NO_MEMORY = "memory ran out; give it more (ulimit -v), or smaller input."
_UNMAPPED = "failed to map segment"
"""What the system says of a library that it has no memory for."""


def _shown_default(value: object) -> str | None:
    """Show no default that stands for an option left out."""
    return None if value in (None, (), "") else str(value)


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
    ("verify:verify", "verify", "Check that an artifact is still as it was written."),
    ("report:report", "report", "Write one self-contained HTML page about fitted models."),
)
for _number, (_place, _name, _help) in enumerate(_COMMANDS):
    app.command(f"cisgram.cli.{_place}", name=_name, help=_help, sort_key=_number)
app.register_install_completion_command(
    help="Complete commands and options in this shell; adds a line to its startup file."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 is success, 2 an input that cannot be used (one line on stderr says which
    and what to do), 130 an interruption (143 by SIGTERM, 129 by SIGHUP), 141 a closed pipe.

    Args:
        arguments: words after the program's name; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Before PyTorch is loaded: threads that spin while they wait slow everybody on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _prepare_streams()
    try:
        with _stopped_by_signals():
            command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
            with _said_warnings(), claimed(bound), spooled(bound):
                command(*bound.args, **bound.kwargs)
            _flush()
    except CycloptsError as error:
        return _refuse(f"{_wording(error, words)} {_where_to_read(error)}")
    except CisgramError as error:
        return _refuse(str(error))
    except KeyboardInterrupt as stop:
        _complain("interrupted; run the same command again (a training with --resume) to go on.")
        return SIGNALLED + stop.args[0] if stop.args else INTERRUPTED
    except MemoryError:
        return _refuse(_NO_MEMORY)
    except ImportError as error:
        if _UNMAPPED not in str(error):
            raise
        return _refuse(_NO_MEMORY)
    except BrokenPipeError:
        _drop_output()
        return BROKEN_PIPE
    except OSError as error:
        if error.filename is not None:
            return _refuse(f"{error.filename}: {error.strerror}; check the path.")
        if not _output_fails():
            raise
        _drop_output()
        return _refuse(f"the standard output cannot be written ({error.strerror}).")
    return 0


def _prepare_streams() -> None:
    """Make streams take every name, and keep files from the numbers of those that are closed."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(free)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _stopped_by_signals() -> Generator[None]:
    """Stop for SIGTERM and SIGHUP as for Ctrl-C, so that workers and half-made files go."""

    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _said_warnings() -> Generator[None]:
    """Print our own warnings as sentences, without the line of code that they come from."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", CisgramWarning)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, CisgramWarning):
                say(str(message))
            else:
                shown(message, category, *place)

        warnings.showwarning = show
        yield


def _flush() -> None:
    if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison] - it may be closed
        sys.stdout.flush()


def _output_fails() -> bool:
    """Say whether another line cannot be written: what failed may have been forgotten."""
    try:
        print(flush=True)  # noqa: T201
    except OSError:
        return True
    return False


def _drop_output() -> None:
    """Forget what Python still holds for a stream that fails, and would write at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    text = _LONG.sub(lambda word: f"{word[0][:_WORD]}...", " ".join(message.split()))
    if len(text) > _SENTENCE:
        text = f"{text[: _SENTENCE // 2]} ... {text[-_SENTENCE // 2 :]}"
    if sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison] - it may be closed
        sys.stderr.write(f"cisgram: {text}\n")
