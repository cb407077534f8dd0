"""Plain-text tables: aligned columns of which the last wraps within the terminal's width."""

from collections.abc import Sequence

GAP = "  "
_NARROWEST_LAST = 16
"""A wrapped last column is never narrower than this, even if lines then overflow."""


def columns(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: frozenset[int]
) -> list[str]:
    """Lines of a table; columns whose index is in ``right`` are aligned to the right.

    Args:
        head: Column titles.
        rows: Cells, as many as titles each.
        width: Width of the terminal; 0 never wraps.
        right: Indices of right-aligned columns.
    """
    table = [head, *rows]
    widths = [max(len(row[index]) for row in table) for index in range(len(head) - 1)]
    indent = sum(widths) + len(GAP) * len(widths)
    room = max(_NARROWEST_LAST, width - indent) if width else 0
    lines = []
    for row in table:
        cells = [
            cell.rjust(size) if index in right else cell.ljust(size)
            for index, (cell, size) in enumerate(zip(row[:-1], widths, strict=True))
        ]
        first, *rest = wrapped(row[-1], room) or [""]
        lines.append(GAP.join([*cells, first]).rstrip())
        lines += [" " * indent + line for line in rest]
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` characters, broken at spaces; 0 never breaks.

    A no-break space holds words together and is printed as a plain space.
    """
    lines: list[str] = []
    for word in text.split(" "):
        if lines and (not width or len(lines[-1]) + 1 + len(word) <= width):
            lines[-1] += " " + word
        else:
            lines.append(word)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
