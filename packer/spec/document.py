"""A file of a user: YAML (or JSON) text as plain values, with the place of every one of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from packer.errors import InvalidInput, Location, Problem
from packer.spec.nodes import Mark, Node, NodeReader, Objection, Plain, Refused

MAX_CHARACTERS = 8 * 2**20
"""Largest file; 1,000 workloads take 0.3 million characters."""
LONGEST_SHOWN_LINE = 160

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@dataclass(frozen=True)
class Document:
    """One YAML document of a file.

    Attributes:
        file: What the user called the file, ``<stdin>`` for standard input.
        lines: Text of the whole file by line, for the caret.
    """

    file: str
    lines: Sequence[str]
    root: Node

    @property
    def folder(self) -> Path:
        """Folder that relative paths in the file start from."""
        return Path(self.file).parent

    def plain(self) -> Plain:
        """The values without places."""
        return self.root.plain()

    def where(self, *path: str | int) -> Location:
        """Place of a value; steps that the file does not have are skipped."""
        node = self.root
        for step in path:
            node = node.child(step) or node
        return self._location(node.mark)

    def where_key(self, *path: str | int) -> Location:
        """Place of the key that the last step names; of its mapping if it is not there."""
        node = self.root
        for step in path[:-1]:
            node = node.child(step) or node
        return self._location(node.keys.get(str(path[-1]), node.mark))

    def has(self, *path: str | int) -> bool:
        """Whether the file gives a value there."""
        node: Node | None = self.root
        for step in path:
            node = node.child(step) if node else None
        return node is not None

    def _location(self, mark: Mark) -> Location:
        return locate(self.file, self.lines, mark)


def locate(file: str, lines: Sequence[str], mark: Mark) -> Location:
    """A mark with the text of its line; overlong lines are not shown."""
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    shown = line.replace("\t", " ") if len(line) <= LONGEST_SHOWN_LINE else ""
    return Location(file, mark.line, mark.column, shown, mark.width)


def decode(content: bytes, file: str) -> str:
    """Text of a file, which must be UTF-8.

    Raises:
        InvalidInput: It is not.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        problem = Problem(
            "P0102",
            "the file is not UTF-8 text",
            Location(file, line, column),
            f"byte 0x{content[error.start]:02x} at offset {error.start} belongs to no character",
            "save it as UTF-8; a model file goes under model: in a fleet file",
        )
        raise InvalidInput(problem) from error


def parse_documents(text: str, file: str) -> tuple[Document, ...]:
    """Every document of a YAML text that is not empty.

    Raises:
        InvalidInput: It is not YAML, has repeated keys, tags or merge keys, or passes a limit.
    """
    if len(text) > MAX_CHARACTERS:
        why = f"{len(text)} characters, at most {MAX_CHARACTERS} are read"
        raise InvalidInput(Problem("P0110", "the file is too large", Location(file), why))
    lines = _LINE_BREAK.split(text)
    reader = NodeReader(_without_surrogates(text, file))
    roots, problems = _read(reader, file, lines)
    problems = [_objection(o, file, lines) for o in reader.objections] + problems
    if problems:
        raise InvalidInput(problems)
    return tuple(Document(file, lines, root) for root in roots if root.value is not None)


def _read(reader: NodeReader, file: str, lines: Sequence[str]) -> tuple[list[Node], list[Problem]]:
    roots: list[Node] = []
    try:
        roots.extend(reader.documents())
    except Refused as error:
        return roots, [_objection(error.objection, file, lines)]
    except yaml.MarkedYAMLError as error:
        return roots, [_syntax_problem(error, file, lines)]
    except yaml.reader.ReaderError as error:
        return roots, [_character_problem(error, file, lines)]
    return roots, []


def _without_surrogates(text: str, file: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        problem = Problem(
            "P0102", "the file is not UTF-8 text", Location(file), "it holds half a surrogate pair"
        )
        raise InvalidInput(problem) from error
    return text


def _syntax_problem(error: yaml.MarkedYAMLError, file: str, lines: Sequence[str]) -> Problem:
    mark = error.problem_mark or error.context_mark
    # An unclosed bracket is noticed at the end of the file; where it was opened says more.
    if mark and error.context_mark and mark.line + 1 >= len(lines):
        mark = error.context_mark
    where = locate(file, lines, Mark(mark.line + 1, mark.column + 1)) if mark else Location(file)
    why = " ".join(part for part in (error.context, error.problem) if part)
    return Problem("P0119", "the file is not valid YAML", where, why, _syntax_help(where, why))


def _syntax_help(where: Location, why: str) -> str:
    if "\\t" in why or "tab" in why or "cannot start any token" in why:
        return "indent with spaces, not tabs; quote values that start with @, ` or %"
    if "mapping values" in why:
        return 'quote a value that contains ": ", and indent keys of one mapping alike'
    if "did not find expected" in why:
        return "indent keys of one mapping alike, and close every bracket and quote"
    return "" if where.line else "write YAML or JSON"


def _character_problem(error: yaml.reader.ReaderError, file: str, lines: Sequence[str]) -> Problem:
    why = str(error.reason)
    for number, line in enumerate(lines, start=1):
        column = line.find(chr(error.character)) + 1
        if column:
            where = Location(file, number, column)
            return _unreadable(where, f"U+{error.character:04X}: {why}")
    return _unreadable(Location(file), why)


def _unreadable(where: Location, why: str) -> Problem:
    return Problem(
        "P0102",
        "the file holds a character that YAML does not allow",
        where,
        why,
        "remove it; is this a binary file?",
    )


def _objection(objection: Objection, file: str, lines: Sequence[str]) -> Problem:
    where = locate(file, lines, objection.mark)
    text = objection.text
    if objection.kind == "repeated":
        first = objection.first.line if objection.first else 0
        why = f"first given in line {first}"
        return Problem("P0111", f"key {text} is repeated", where, why, "keep one of them")
    if objection.kind == "tag":
        return Problem("P0112", "YAML tags are not read", where, f"remove {text}")
    if objection.kind == "merge":
        help_ = "write the keys out, or put them under defaults:"
        return Problem("P0112", "merge keys (<<) are not read", where, "not in YAML 1.2", help_)
    if objection.kind == "alias":
        why = f"no finished value is called &{text} before this"
        return Problem("P0112", f"alias *{text} points nowhere", where, why)
    if objection.kind == "key":
        return Problem("P0112", "a key must be a plain word", where, "this is not one")
    return Problem("P0110", "the file passes a limit", where, text, "write less of it")
