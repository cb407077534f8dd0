"""Kubernetes objects as YAML text: plain dictionaries in, the same bytes every time out."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import yaml

Value: TypeAlias = "str | int | bool | Sequence[Value] | Mapping[str, Value] | None"
KubernetesObject: TypeAlias = Mapping[str, Value]

# Plain only where no YAML reader, 1.1 or 1.2, can see anything but a string; quoted otherwise.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS_WITH_A_MEANING = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
# A literal block keeps these lines as they are; anything else is quoted on one line.
_LITERAL = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?(?:\n(?:[ -~]*[!-~])?)*\n?")


class _Dumper(yaml.CSafeDumper):
    """Writes no anchors, and strings in a style that cannot be mistaken for another type."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"'
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_WITH_A_MEANING:
        style = ""
    elif "\n" in text and not text.startswith("\n") and _LITERAL.fullmatch(text):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style or None)


def _represent_list(dumper: _Dumper, items: tuple[Value, ...]) -> yaml.SequenceNode:
    return dumper.represent_list(list(items))


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(tuple, _represent_list)


def to_yaml(document: KubernetesObject, header: str) -> str:
    """One document after one comment line; keys stay in the order given.

    Args:
        document: Mappings, sequences, strings, whole numbers, booleans and None only.
        header: Comment without the ``#``; one line.
    """
    if "\n" in header or "\r" in header:
        raise ValueError("a header is one line")
    text = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=2**30
    )
    return f"# {header}\n{text}"
