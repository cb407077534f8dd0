"""Names in a fleet file: unique workloads, and groups that keep apart or together."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, combinations

from packer.errors import Problem
from packer.spec.bands import band_names
from packer.spec.document import Document
from packer.spec.field_types import SERVICE_NAME
from packer.spec.fleet_schema import FleetEntry
from packer.spec.problems import nearest
from packer.spec.workload_checks import repeated

_Groups = tuple[tuple[str, ...], ...]


def group_problems(entry: FleetEntry, document: Document) -> list[Problem]:
    """Repeated workload names, unknown names in groups, groups that contradict each other."""
    names = [workload.name for workload in entry.workloads]
    problems = list(repeated_names(names, ("workloads",), document))
    problems += _repeated_bands(entry, document)
    for key, groups in (("keepApart", entry.keep_apart), ("keepTogether", entry.keep_together)):
        problems += _unknown_members(key, groups, names, document)
    return problems + list(_contradictions(entry, document))


def repeated_names(
    names: Iterable[str], path: tuple[str | int, ...], document: Document
) -> Iterator[Problem]:
    """Names of a list of mappings that came before."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            line = document.where(*path, first[name], "name").line
            where = document.where(*path, index, "name")
            why = f"first given in line {line}"
            yield Problem("P0201", f"the name {name} is repeated", where, why, "choose another")
        first.setdefault(name, index)


def _repeated_bands(entry: FleetEntry, document: Document) -> Iterator[Problem]:
    """Workloads that a band's name repeats, and names that are too long for a Service."""
    names = [(name, index) for index, one in enumerate(entry.workloads) for name in band_names(one)]
    counts = Counter(name for name, _ in names)
    for name, index in names:
        if entry.workloads[index].bands is None:
            continue
        where = document.where("workloads", index, "name")
        if counts[name] > 1:
            why = "a band is called after its workload and context"
            yield Problem("P0201", f"the name {name} is repeated", where, why, "choose another")
        if not SERVICE_NAME.fits(name):
            why = f"a band would be called {name}"
            yield Problem("P0109", "the name is too long for its bands", where, why, "shorten it")


def _unknown_members(
    key: str, groups: _Groups, names: list[str], document: Document
) -> Iterator[Problem]:
    for index, group in enumerate(groups):
        for place, name in enumerate(group):
            where = document.where(key, index, place)
            if name not in names:
                near = nearest(name, names)
                help_ = f"did you mean {near}?" if near else f"workloads: {', '.join(names[:20])}"
                title = f"{key} names an unknown workload"
                yield Problem("P0206", title, where, f"there is no {name}", help_)
        for place in repeated(group):
            where = document.where(key, index, place)
            yield Problem("P0209", f"{group[place]} is listed twice", where, f"in one {key} group")


def _contradictions(entry: FleetEntry, document: Document) -> Iterator[Problem]:
    """Workloads that must be apart although chains of groups keep them together."""
    together = {name: block for block in _joined(entry.keep_together) for name in block}
    for index, group in enumerate(entry.keep_apart):
        for one, other in combinations(dict.fromkeys(group), 2):
            if other in together.get(one, ()):
                title = f"{one} and {other} cannot be apart and together"
                where = document.where("keepApart", index)
                why = "keepTogether joins them"
                yield Problem("P0207", title, where, why, "drop them from one of the two")


def _joined(groups: _Groups) -> list[frozenset[str]]:
    """Groups that share a member, as one block."""
    blocks: list[frozenset[str]] = []
    for group in groups:
        touched = [block for block in blocks if block & set(group)]
        blocks = [block for block in blocks if block not in touched]
        blocks.append(frozenset(chain(group, *touched)))
    return blocks
