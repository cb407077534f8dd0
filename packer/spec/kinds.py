"""Which document of a file is the fleet, and which the inventory."""

from collections.abc import Sequence
from typing import Literal

from packer.errors import InvalidInput, Location, Problem
from packer.spec.document import Document, decode, parse_documents
from packer.spec.problems import nearest
from packer.spec.strict_model import API_VERSION

Kind = Literal["Fleet", "Inventory", "PriceBook", "Sweep"]
KINDS: tuple[Kind, ...] = ("Fleet", "Inventory", "PriceBook", "Sweep")


def read_document(text: str | bytes, file: str, kind: Kind) -> Document:
    """The one document of a kind; documents of the other kind may share the file.

    Raises:
        InvalidInput: There is none, more than one, or one of no known kind or version.
    """
    documents = parse_documents(decode(text, file) if isinstance(text, bytes) else text, file)
    problems = [problem for document in documents for problem in _head_problems(document, kind)]
    of_kind = [document for document in documents if _text(document, "kind") == kind]
    if not problems:
        problems = _count_problems(of_kind, documents, file, kind)
    if problems:
        raise InvalidInput(problems)
    return of_kind[0]


def _head_problems(document: Document, kind: Kind) -> list[Problem]:
    if not isinstance(document.root.value, dict):
        help_ = f"begin with apiVersion: {API_VERSION} and kind: {kind}"
        why = f"a {kind.lower()} is a mapping of keys"
        where = document.where()
        return [Problem("P0106", "the document is of the wrong type", where, why, help_)]
    return [*_version_problems(document), *_kind_problems(document, kind)]


def _version_problems(document: Document) -> list[Problem]:
    given = _text(document, "apiVersion")
    if given == API_VERSION:
        return []
    if given is None:
        return [_missing(document, "apiVersion", API_VERSION)]
    why = f"this gpu-packer reads {API_VERSION}"
    help_ = f"write apiVersion: {API_VERSION}"
    return [Problem("P0113", "unknown apiVersion", document.where("apiVersion"), why, help_)]


def _kind_problems(document: Document, kind: Kind) -> list[Problem]:
    given = _text(document, "kind")
    if given in KINDS:
        return []
    if given is None:
        return [_missing(document, "kind", kind)]
    near = nearest(given, KINDS)
    help_ = f"did you mean {near}?" if near else f"a file holds {' or '.join(KINDS)}"
    return [Problem("P0114", "unknown kind", document.where("kind"), "", help_)]


def _missing(document: Document, key: str, value: str) -> Problem:
    where = document.where()
    return Problem("P0105", f"key {key} is missing", where, "", f"write {key}: {value}")


def _count_problems(
    of_kind: Sequence[Document], documents: Sequence[Document], file: str, kind: Kind
) -> list[Problem]:
    if len(of_kind) == 1:
        return []
    if not documents:
        why = "there is no document in it"
        return [Problem("P0115", "the file is empty", Location(file), why)]
    if not of_kind:
        title = f"there is no {kind} in the file"
        held = _text(documents[0], "kind") or "document of no kind"
        why = f"it holds {'an' if held[:1] in 'AEIOU' else 'a'} {held}"
        swapped = {kind, held} == {"Fleet", "Inventory"}
        help_ = "have the fleet (-f) and the inventory (-i) changed places?" if swapped else ""
        return [Problem("P0114", title, documents[0].where("kind"), why, help_)]
    first = of_kind[0].where("kind").line
    where = of_kind[1].where("kind")
    why = f"the first begins near line {first}"
    help_ = "give each its own file"
    return [Problem("P0117", f"more than one {kind} in the file", where, why, help_)]


def _text(document: Document, key: str) -> str | None:
    """Text under a top-level key; None if it is absent or empty."""
    node = document.root.child(key)
    return None if node is None or node.value is None else str(node.value)
