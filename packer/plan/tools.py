"""What planning is given from the floors above it: llama.cpp's words, and facts of this run."""

from dataclasses import dataclass

from packer.performance.learnt import Learnt
from packer.plan.audit import ParseArguments
from packer.plan.building import FormatCommand
from packer.plan.plan import Inputs, Run, Versions


@dataclass(frozen=True)
class Tools:
    """What planning needs from the floors above it."""

    format_command: FormatCommand
    parse_arguments: ParseArguments


@dataclass(frozen=True)
class Facts:
    """What goes into the plan as it is: hashes, versions, measurements, and the machine.

    Attributes:
        calibration: What the user measured; it decides bytes and speeds.
        notes: What a reader must know about it.
    """

    inputs: Inputs
    versions: Versions
    run: Run
    calibration: Learnt | None = None
    notes: tuple[str, ...] = ()
