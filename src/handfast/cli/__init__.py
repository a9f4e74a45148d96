"""The command line: one file per command, loaded when it is called; this is the outermost frame around all of them."""

import os
import sys
import warnings
from collections.abc import Sequence

import click

from handfast.cli._output import print_failure
from handfast.cli._program import program
from handfast.cli._status import DONE, FAILED, INTERRUPTED, PIPE_CLOSED, USAGE, status_of, status_of_os_error
from handfast.errors import HandfastError


def main() -> None:
    """Run the command that sys.argv asks for, and leave with its exit status."""
    # What is wrong with somebody's certificate is said as a finding, not in cryptography's words with a source path.
    warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit status of one command line. Prints every error with its hint; lets nothing through but SystemExit."""
    as_json = "--json" in arguments
    try:
        status = _within_click(arguments, as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    except HandfastError as error:
        print_failure(error, as_json=as_json)
        return status_of(error)
    except OSError as error:
        return _os_error(error, as_json)
    except Exception as error:  # noqa: BLE001  # the outermost frame: nobody shall have to read a traceback
        return _own_fault(error, as_json)
    return status


def _within_click(arguments: Sequence[str], as_json: bool) -> int:
    try:
        outcome = program(arguments).main([*arguments], prog_name="handfast", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort as abort:
        if isinstance(abort.__cause__, EOFError):
            message = "a question was asked, and the input ended before an answer"
            _print_usage(message, "give the answer as an option; --help lists them", as_json)
            return USAGE
        return INTERRUPTED
    except click.ClickException as error:
        _print_usage(_without_stop(error.format_message()), _hint_of(error), as_json)
        return USAGE
    return outcome if isinstance(outcome, int) else DONE


def _print_usage(message: str, hint: str, as_json: bool) -> None:
    print_failure(HandfastError(message, hint=hint), as_json=as_json, kind="usage")


def _without_stop(message: str) -> str:
    first = message.split(". ")[0] if message.startswith("No such") else message
    first = first.strip().rstrip(".?")
    return first[:1].lower() + first[1:]


def _hint_of(error: click.ClickException) -> str:
    possibilities = getattr(error, "possibilities", None)
    if possibilities:
        return f"did you mean {' or '.join(sorted(possibilities))}?"
    context = getattr(error, "ctx", None)
    return f"see {context.command_path if context else 'handfast'} --help"


def _pipe_closed() -> int:
    # What is still buffered would fail again while Python shuts down; it goes nowhere instead.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


def _os_error(error: OSError, as_json: bool) -> int:
    what = f"{error.filename}: " if error.filename else ""
    message = f"{what}{(error.strerror or str(error)).lower()}"
    hint = "check the path, who may use it, and that there is space left"
    print_failure(HandfastError(message, hint=hint), as_json=as_json, kind="system")
    return status_of_os_error(error)


def _own_fault(error: Exception, as_json: bool) -> int:
    if os.environ.get("HANDFAST_TRACEBACK"):
        raise error
    message = f"handfast itself failed: {type(error).__name__}: {error}"
    hint = "this is a bug; report it with what HANDFAST_TRACEBACK=1 in front of the same command prints"
    print_failure(HandfastError(message, hint=hint), as_json=as_json, kind="bug")
    return FAILED
