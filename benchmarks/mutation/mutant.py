"""Mutants of one module: what cosmic-ray's operators make of it, less what no test can tell apart.

Left out by rule, wherever they stand:

* annotations, which nothing evaluates;
* ``is`` for ``==`` and back: enumeration members, None and small integers are the same object;
* ``strict=True`` of ``zip`` and ``frozen=True`` of a dataclass: they guard programmers, not users;
* decorators and sizes of caches: the answer is the same, only later;
* ``*`` and ``/`` between parameters, which are no operators;
* what does not compile, and what compiles to the same program.
"""

import ast
import difflib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

_EQUAL = {"Is_Eq", "Eq_Is", "IsNot_NotEq", "NotEq_IsNot"}
_CACHES = {"cache", "lru_cache", "derived_once", "cached_property"}
_GUARDS = {"strict", "frozen"}
_Place = tuple[int, int]


@dataclass(frozen=True)
class Mutant:
    """One change of one module: an operator's occurrence, and where it stands."""

    module: str
    operator: str
    occurrence: int
    line: int
    column: int

    def source(self, original: str) -> str | None:
        """The changed module; None where it does not compile or is the same program."""
        changed = mutate_code(original, get_operator(self.operator)(), self.occurrence)
        try:
            if changed is None or _program(changed) == _program(original):
                return None
            with warnings.catch_warnings(action="ignore"):
                compile(changed, self.module, "exec")
        except SyntaxError:
            return None
        return str(changed)


@lru_cache(maxsize=2)
def _program(source: str) -> str:
    """What a text says to Python, without its layout."""
    return ast.dump(ast.parse(source))


def mutants_of(checkout: Path, module: str) -> Iterator[Mutant]:
    """Every mutant of a module that no rule leaves out, in the order of the operators."""
    source = (checkout / module).read_text("utf-8")
    nodes = list(ast_nodes(get_ast(source)))
    tree = ast.parse(source)
    silent, sums = list(_silent_places(tree)), list(_sums(tree))
    for name in operator_names():
        kind = get_operator(name)
        if kind.arguments() or name.rpartition("ComparisonOperator_")[2] in _EQUAL:
            continue
        operator = kind()
        places = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (start, _) in enumerate(places):
            is_sign = "ReplaceBinaryOperator" in name and not _lies_in(start, sums)
            if not is_sign and not _lies_in(start, silent):
                yield Mutant(module, name, occurrence, *start)


def _lies_in(place: _Place, spans: list[tuple[_Place, _Place]]) -> bool:
    return any(first <= place < last for first, last in spans)


def _sums(tree: ast.Module) -> Iterator[tuple[_Place, _Place]]:
    """Where binary operators can stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.AugAssign):
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            yield (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _silent_places(tree: ast.Module) -> Iterator[tuple[_Place, _Place]]:
    """Beginnings and ends of what is left out by rule."""
    for node in ast.walk(tree):
        silent: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef):
            silent.append(node.returns)
            silent += [one for one in node.decorator_list if _name(one) in _CACHES]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            silent.append(node.annotation)
        elif isinstance(node, ast.keyword) and node.arg in _GUARDS:
            silent += [node.value] if ast.unparse(node.value) == "True" else []
        for one in filter(None, silent):
            # A decorator begins at its sign.
            before = 1 if isinstance(node, ast.FunctionDef) and one in node.decorator_list else 0
            assert one.end_lineno is not None
            assert one.end_col_offset is not None
            start = (one.lineno, one.col_offset - before)
            yield start, (one.end_lineno, one.end_col_offset)


def _name(named: ast.expr) -> str:
    """Last name of a decorator or of what is called."""
    bare = named.func if isinstance(named, ast.Call) else named
    return ast.unparse(bare).rpartition(".")[2]


def difference(mutant: Mutant, original: str, changed: str) -> str:
    """The change as a unified difference without context."""
    lines = difflib.unified_diff(
        original.splitlines(), changed.splitlines(), mutant.module, mutant.module, "", "", 0, ""
    )
    return "\n".join(lines)
