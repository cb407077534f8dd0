"""How wide a table may be."""

import shutil
import sys

_WIDTH_OF_A_PIPE = 120


def terminal_width() -> int:
    """Columns of the terminal, or a fixed width for a pipe, so that its output is stable."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH_OF_A_PIPE
