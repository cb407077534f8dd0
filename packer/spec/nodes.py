"""YAML text as a tree of nodes that know their line and column, built under strict limits."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from packer.spec.scalars import Scalar, resolve_scalar

MAX_DEPTH = 40
"""Deepest nesting of lists and mappings; our files need 7."""
MAX_NODES = 200_000
"""Most values in one file, repeated ones (aliases) counted each time."""

Plain = Scalar | list["Plain"] | dict[str, "Plain"]


class Mark(NamedTuple):
    """1-based place of a value in the text, and how many characters the caret underlines."""

    line: int
    column: int
    width: int = 1


@dataclass(slots=True, eq=False)
class Node:
    """One value with its place; an alias is the anchored node itself.

    Attributes:
        keys: Places of the keys of a mapping.
        size: Values in it, repeated ones counted each time.
    """

    mark: Mark
    value: "Scalar | list[Node] | dict[str, Node]"
    keys: dict[str, Mark] = field(default_factory=dict)
    size: int = 1

    def plain(self) -> Plain:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def child(self, step: str | int) -> "Node | None":
        """The node under a key or index; None if there is none."""
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None


@dataclass(frozen=True)
class Objection:
    """Something refused although YAML allows it; ``first`` is where a repeated key came first."""

    kind: str
    mark: Mark
    text: str = ""
    first: Mark | None = None


class Refused(Exception):
    """Parsing stopped at once: a limit was passed, or what follows would have no meaning."""

    def __init__(self, objection: Objection) -> None:
        """Keep the objection."""
        super().__init__(objection.kind)
        self.objection = objection


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read; ``key`` waits for its value."""

    node: Node
    anchor: str | None
    key: str | None = None
    key_mark: Mark = field(default_factory=lambda: Mark(1, 1))

    @property
    def waits_for_key(self) -> bool:
        return self.key is None and isinstance(self.node.value, dict)


class NodeReader:
    """Builds the nodes of every document of a text from the parser's events.

    Events are read one by one, so a limit stops the parser before memory or time is spent, and
    nothing here recurses over the input. Harmless objections are collected; others end parsing.
    """

    def __init__(self, text: str) -> None:
        """Start on a text; nothing is parsed before ``documents``."""
        self.objections: list[Objection] = []
        self._events = yaml.CSafeLoader(text)
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def documents(self) -> Iterator[Node]:
        """Root node of each document.

        Raises:
            yaml.YAMLError: The text is not YAML.
            Refused: Too many values, too deep, or a key or alias without meaning.
        """
        while (event := self._events.get_event()) is not None:
            root: Node | None = None
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
            elif isinstance(event, yaml.NodeEvent):
                root = self._start(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                root = self._close(self._stack.pop(), event)
            if root is not None:
                yield root

    # The stubs allow events without marks and tags; those of the C parser have them.
    def _start(self, event: Any) -> Node | None:
        mark = _mark_of(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, mark)
        if event.tag is not None:
            self.objections.append(Objection("tag", mark, str(event.tag)))
        self._count(1, mark)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, mark)
        self._open(event, mark)
        return None

    def _scalar(self, event: Any, mark: Mark) -> Node | None:
        is_plain = not event.style
        if self._stack and self._stack[-1].waits_for_key:
            self._take_key(self._stack[-1], event.value, mark, is_plain)
            return None
        node = Node(mark, resolve_scalar(event.value) if is_plain else event.value)
        return self._finish(node, event.anchor)

    def _take_key(self, mapping: _Open, key: str, mark: Mark, is_plain: bool) -> None:
        if key == "<<" and is_plain:
            self.objections.append(Objection("merge", mark))
        elif key in mapping.node.keys:
            self.objections.append(Objection("repeated", mark, key, mapping.node.keys[key]))
        mapping.key, mapping.key_mark = key, mark

    def _open(self, event: Any, mark: Mark) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise Refused(Objection("limit", mark, f"it is nested deeper than {MAX_DEPTH} levels"))
        self._refuse_as_key(mark)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(Node(mark, {} if is_mapping else []), event.anchor))

    def _close(self, closed: _Open, event: Any) -> Node | None:
        start, end = closed.node.mark, event.end_mark
        if end.line + 1 == start.line:
            closed.node.mark = Mark(start.line, start.column, max(1, end.column + 1 - start.column))
        return self._finish(closed.node, closed.anchor)

    def _alias(self, event: Any, mark: Mark) -> Node | None:
        self._refuse_as_key(mark)
        target = self._anchors.get(event.anchor)
        if target is None:
            raise Refused(Objection("alias", mark, event.anchor))
        self._count(target.size, mark)
        return self._finish(target, None)

    def _refuse_as_key(self, mark: Mark) -> None:
        if self._stack and self._stack[-1].waits_for_key:
            raise Refused(Objection("key", mark))

    def _finish(self, node: Node, anchor: str | None) -> Node | None:
        """Put a finished node into the open list or mapping; without one it is a root."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            return node
        above = self._stack[-1]
        above.node.size += node.size
        if isinstance(above.node.value, list):
            above.node.value.append(node)
        elif isinstance(above.node.value, dict) and above.key is not None:
            if above.key not in above.node.keys:
                above.node.value[above.key] = node
                above.node.keys[above.key] = above.key_mark
            above.key = None
        return None

    def _count(self, nodes: int, mark: Mark) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            text = f"it holds more than {MAX_NODES} values, repeated ones (*alias) counted"
            raise Refused(Objection("limit", mark, text))


def _mark_of(event: Any) -> Mark:
    start, end = event.start_mark, event.end_mark
    width = end.column - start.column if end.line == start.line else 1
    return Mark(start.line + 1, start.column + 1, max(1, width))
