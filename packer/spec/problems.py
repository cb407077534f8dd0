"""What pydantic refuses, as problems: numbered, located, and with something to type."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from packer.errors import InvalidInput, Location, Problem
from packer.spec.document import Document
from packer.spec.json_schema import SchemaKind, json_schema, schema_at
from packer.spec.strict_model import UNION_TAGS, StrictModel

MOST_PROBLEMS = 100
"""Problems shown of one file; a file of another kind altogether would have thousands."""
_MOST_COMPARED = 500
"""Names a wrong one is compared with; a hundred comparisons of all names would take seconds."""

_Entry = TypeVar("_Entry", bound=StrictModel)
_Path = tuple[str | int, ...]
_Schema = Mapping[str, Any]
_Maker = Callable[[ErrorDetails, _Path, Document, _Schema], Problem]

_NEEDED = {
    "bool_type": ("true or false is needed", "write true or false"),
    "int_type": ("a whole number is needed", "write digits only, without quotes"),
    "string_type": ("text is needed", "put it in quotes"),
    "tuple_type": ("a list is needed", "write [a, b], or one item per line after a dash"),
    "dict_type": ("a mapping is needed", "write {key: value}, or one key per line"),
    "model_type": ("a mapping is needed", "write {key: value}, or one key per line"),
    "model_attributes_type": ("a mapping is needed", "write {key: value}, or one key per line"),
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
    "too_long": ("max_length", "at most"),
    "too_short": ("min_length", "at least"),
}


def validate(document: Document, entry: type[_Entry], kind: SchemaKind) -> _Entry:
    """The document as an entry of the schema.

    Raises:
        InvalidInput: With every problem of the document.
    """
    try:
        return entry.model_validate(document.plain())
    except ValidationError as error:
        schema = json_schema(kind)
        details = [one for one in error.errors(include_url=False) if not _is_echo(one)]
        problems = [_problem(detail, document, schema) for detail in details[:MOST_PROBLEMS]]
        raise InvalidInput(in_file_order(problems, len(details))) from error


def _is_echo(detail: ErrorDetails) -> bool:
    """Whether a list is only called too short because its items were refused."""
    least = detail.get("ctx", {}).get("min_length", 0)
    return detail["type"] == "too_short" and len(detail["input"]) >= least


def more_problems(rest: int | None, file: str) -> Problem:
    """What stands for the problems that are not shown; None if nobody counted them."""
    title = f"{'' if rest is None else f'{rest} '}more problems are not shown"
    why = f"the first {MOST_PROBLEMS} are"
    return Problem("P0118", title, Location(file), why, "is this the file you meant?")


def enough(problems: Iterable[Problem]) -> list[Problem]:
    """As many problems as are shown and one more, which tells that there are more."""
    return list(islice(problems, MOST_PROBLEMS + 1))


def in_file_order(problems: Sequence[Problem], found: int = 0) -> list[Problem]:
    """Problems by line, each once; of more than are shown, or ``found``, the rest is counted."""
    unique = list(dict.fromkeys(problems))
    unique.sort(key=lambda problem: problem.where.line if problem.where else 0)
    shown = unique[:MOST_PROBLEMS]
    rest = max(found, len(unique)) - len(shown)
    if rest > 0 and len(shown) == MOST_PROBLEMS:
        file = shown[0].where.file if shown[0].where else ""
        shown.append(more_problems(rest if found else None, file))
    return shown


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant: case, - and _ do not count, then spelling."""
    plain = {_plain(name): name for name in known[:_MOST_COMPARED]}
    close = get_close_matches(_plain(word)[:80], plain, n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def _plain(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _problem(detail: ErrorDetails, document: Document, schema: _Schema) -> Problem:
    """One error of pydantic in our words; the function for its type comes from a table."""
    path = _path_in_file(detail["loc"])
    make = _BY_TYPE.get(detail["type"], _wrong_type)
    return make(detail, path, document, schema)


def _path_in_file(loc: _Path) -> _Path:
    """Path of pydantic without the names of union branches, and ``[key]`` for keys of mappings."""
    return tuple(step for step in loc if step not in (*UNION_TAGS, "[key]"))


def shown_path(path: _Path) -> str:
    """The path as people write it: ``workloads[0].gpus.allow``; the last steps if it is long."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") or "the document"


def _unknown_key(detail: ErrorDetails, path: _Path, document: Document, schema: _Schema) -> Problem:
    key = str(path[-1])
    known = _keys_at(schema, path[:-1])
    near = nearest(key, known)
    help_ = f"did you mean {near}?" if near else "known keys: " + ", ".join(known)
    place = shown_path(path[:-1])
    why = f"{place} has no such key"
    return Problem("P0104", f"unknown key {_short(key)}", document.where_key(*path), why, help_)


def _keys_at(schema: _Schema, path: _Path) -> list[str]:
    part = schema_at(schema, path)
    options = (part, *part.get("oneOf", ()), *part.get("anyOf", ()))
    references = (option.get("$ref", "").rpartition("/")[2] for option in options)
    definitions = (schema["$defs"].get(name, {}) for name in references)
    return [key for found in (*options, *definitions) for key in found.get("properties", {})]


def _missing_key(detail: ErrorDetails, path: _Path, document: Document, schema: _Schema) -> Problem:
    key = str(path[-1])
    part = schema_at(schema, path)
    help_ = f"{key}: {part.get('description', '')}".rstrip(": ")
    where = document.where(*path[:-1])
    return Problem("P0105", f"key {key} is missing", where, f"in {shown_path(path[:-1])}", help_)


def _wrong_type(detail: ErrorDetails, path: _Path, document: Document, schema: _Schema) -> Problem:
    why, help_ = _NEEDED.get(detail["type"], (detail["msg"], ""))
    if detail["input"] is None:
        why = f"it has no value; {why}"
    return Problem(
        "P0106", f"{shown_path(path)} is of the wrong type", document.where(*path), why, help_
    )


def _out_of_range(
    detail: ErrorDetails, path: _Path, document: Document, schema: _Schema
) -> Problem:
    key, words = _BOUNDS[detail["type"]]
    limit = detail["ctx"][key]
    items = " items" if key.endswith("length") else ""
    why = f"{words} {limit}{items} {'are' if items else 'is'} allowed"
    help_ = schema_at(schema, path).get("description", "")
    return Problem(
        "P0107", f"{shown_path(path)} is out of range", document.where(*path), why, help_
    )


def _not_a_word(detail: ErrorDetails, path: _Path, document: Document, schema: _Schema) -> Problem:
    words = detail["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
    given = detail["input"]
    near = nearest(given, words) if isinstance(given, str) else None
    why = "allowed: " + ", ".join(words)
    help_ = f"did you mean {near}?" if near else ""
    title = f"{shown_path(path)} cannot be {_short(given)}"
    return Problem("P0108", title, document.where(*path), why, help_)


def _own_words(code: str, title: str) -> _Maker:
    """Maker for errors of ``field_types``, which bring their words along."""

    def make(detail: ErrorDetails, path: _Path, document: Document, schema: _Schema) -> Problem:
        is_key = "[key]" in detail["loc"]
        where = document.where_key(*path) if is_key else document.where(*path)
        words = detail["ctx"]
        return Problem(code, f"{shown_path(path)} {title}", where, words["why"], words["help"])

    return make


def _short(value: object) -> str:
    """A value of the user as one short, printable line."""
    text = str(value) if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= 60 else text[:57] + "..."


_BY_TYPE: dict[str, _Maker] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing_key,
    **dict.fromkeys(_BOUNDS, _out_of_range),
    "literal_error": _not_a_word,
    "quantity": _own_words("P0103", "has no unit this tool accepts"),
    "quantity_type": _own_words("P0106", "is of the wrong type"),
    "money": _own_words("P0106", "is not a price"),
    "money_range": _own_words("P0107", "is out of range"),
    "factor": _own_words("P0106", "is not a factor"),
    "factor_range": _own_words("P0107", "is out of range"),
    "name": _own_words("P0109", "is not a usable name"),
    "text": _own_words("P0116", "has the wrong form"),
}
