"""What inputs reach of a reader: ``python -m tests.fuzz.reach NAME FOLDER… [--keep FOLDER]``.

Counts lines inside functions, as importing a module runs the others. With ``--keep`` those inputs
are copied that reach a branch which seeds, findings and shorter inputs do not.
"""

import argparse
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import coverage

HERE = Path(__file__).parent
PACKER = HERE.parents[1] / "packer"
_IMPORTS, _SEEDS = "", "seeds"
_LONGEST_KEPT = 4_096

_Branches = frozenset[tuple[str, tuple[int, int]]]


def main() -> None:
    """Print a table of the reader's modules; copy what adds a branch."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("target")
    arguments.add_argument("folders", type=Path, nargs="*")
    arguments.add_argument("--keep", type=Path)
    arguments.add_argument("--missing", action="store_true", help="say which lines are not reached")
    given = arguments.parse_args()
    measured = coverage.Coverage(
        data_file=None, branch=True, source=[str(PACKER)], config_file=False
    )
    measured.start()
    from tests.fuzz.targets import TARGETS, run

    target = TARGETS[given.target]
    measured.switch_context(_SEEDS)
    known = [*target.seeds(), *_contents([HERE / "seeds" / given.target])]
    known += _contents([HERE / "findings" / given.target])
    inputs = [*known, *sorted(_contents(given.folders), key=len)]
    for number, content in enumerate(inputs):
        measured.switch_context(str(number))
        run(target, content)
    measured.stop()
    files = [path for name in target.reader for path in sorted(PACKER.glob(f"{name}.py"))]
    _print_lines(measured, files, given.missing)
    if given.keep is not None:
        branches = _branches(measured, files, len(inputs))
        _copy(inputs, branches, len(known), given.keep)


def _contents(folders: Iterable[Path]) -> list[bytes]:
    paths = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path.read_bytes() for path in paths]


def _print_lines(measured: coverage.Coverage, files: Iterable[Path], says_missing: bool) -> None:
    data, whole, all_reached = measured.get_data(), 0, 0
    for path in files:
        data.set_query_context(_IMPORTS)
        imported = set(data.lines(str(path)) or ())
        data.set_query_contexts(None)
        lines = set(measured.analysis2(str(path))[1]) - imported
        reached = lines & set(data.lines(str(path)) or ())
        missing = f"  {sorted(lines - reached)}" if says_missing else ""
        print(f"{len(reached):5} of {len(lines):5}  {path.relative_to(PACKER)}{missing}")
        whole, all_reached = whole + len(lines), all_reached + len(reached)
    print(f"{all_reached:5} of {whole:5}  {all_reached / max(1, whole):.1%}")


def _branches(
    measured: coverage.Coverage, files: Iterable[Path], inputs: int
) -> Mapping[int, _Branches]:
    data, found = measured.get_data(), {}
    names = [str(path) for path in files]
    for number in range(inputs):
        data.set_query_context(str(number))
        found[number] = frozenset((name, arc) for name in names for arc in data.arcs(name) or ())
    return found


def _copy(inputs: list[bytes], branches: Mapping[int, _Branches], known: int, folder: Path) -> None:
    reached = {branch for number in range(known) for branch in branches[number]}
    for number in range(known, len(inputs)):
        if branches[number] <= reached or len(inputs[number]) > _LONGEST_KEPT:
            continue
        reached |= branches[number]
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(inputs[number]).hexdigest()[:12]
        folder.joinpath(name).write_bytes(inputs[number])


if __name__ == "__main__":
    main()
