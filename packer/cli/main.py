"""The ``gpu-packer`` command: its sub-commands, and what each exception means to a shell."""

import gc
import sys
from typing import Annotated

import typer

from packer import __version__
from packer.cli import (
    apply_command,
    calibrate_command,
    catalogue_command,
    compare_command,
    cost_command,
    diff_command,
    estimate_command,
    exit_status,
    explain_command,
    help_command,
    inspect_command,
    inventory_command,
    plan_command,
    prices_command,
    render_command,
    report_command,
    risk_command,
    schema_command,
    solve_command,
    sweep_command,
    validate_command,
    verify_command,
)
from packer.cli.console import say, say_error
from packer.cli.interruption import CTRL_C
from packer.errors import GpuPackerError

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
_LIBRARY_WORDS = "Value error, "


def _one_per_line(examples: str) -> str:
    """Examples that can be copied: each on a line of its own, which nothing wraps."""
    title, _, rest = examples.partition(": ")
    lines = (f"  {one.strip()}" for one in rest.split("   |   "))
    return "\b\n" + "\n".join((f"{title}:", *lines)) if rest else examples


app = typer.Typer(
    name="gpu-packer",
    help="Pack llama.cpp model servers on the fewest GPUs, with a proof.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=(
        "Examples: gpu-packer plan -f fleet.yaml -i inventory.yaml --out plan.json   |   "
        "gpu-packer render plan.json --out manifests"
    ),
)
for module in (
    inspect_command,
    estimate_command,
    calibrate_command,
    validate_command,
    inventory_command,
    plan_command,
    explain_command,
    render_command,
    diff_command,
    apply_command,
    verify_command,
    report_command,
    compare_command,
    cost_command,
    risk_command,
    sweep_command,
    catalogue_command,
    prices_command,
    schema_command,
    solve_command,
    help_command,
):
    module.add_to(app)
app.info.epilog = _one_per_line(str(app.info.epilog))
for command in app.registered_commands:
    command.epilog = _one_per_line(command.epilog or "")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gpu-packer {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Pack llama.cpp model servers on the fewest GPUs, with a proof."""


def run(arguments: list[str] | None = None) -> int:
    """Exit status of one command line."""
    try:
        status = app(args=arguments, standalone_mode=False)
    except GpuPackerError as error:
        say_error(error)
        return error.exit_status
    except KeyboardInterrupt:
        status = exit_status.INTERRUPTED
    except SystemExit as stop:
        # Typer answers a closed pipe so. The reader has seen enough; that is no fault.
        if isinstance(stop.__context__, BrokenPipeError):
            return exit_status.DONE
        raise
    except Exception as error:
        status = exit_status.INTERRUPTED if CTRL_C.is_behind(error) else _other(error)
    if status == exit_status.INTERRUPTED:
        say("interrupted; no output is half written")
    return status if isinstance(status, int) else exit_status.DONE


def _other(error: Exception) -> int:
    """A usage error of the command line shows itself; anything else is a bug of ours."""
    show = getattr(error, "show", None)
    if callable(show):
        # The words of the library that checks values mean nothing to a user.
        message = getattr(error, "message", "")
        if message.startswith(_LIBRARY_WORDS):
            error.message = message.removeprefix(_LIBRARY_WORDS)  # type: ignore[attr-defined]
        show()
        return exit_status.INVALID
    import traceback

    traceback.print_exception(error)
    say("This is a bug of gpu-packer; please report it with the lines above.")
    return exit_status.BUG


def main() -> None:
    """Run the command line and exit."""
    # Large fleets are millions of small objects, of which few are garbage: looking for it after
    # every 700 of them takes as long as the work itself.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    CTRL_C.listen()
    sys.exit(run())
