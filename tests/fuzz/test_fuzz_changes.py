"""Inputs that the fuzzer makes: of the form their reader expects, the same for the same seed."""

from collections.abc import Iterator
from random import Random

import pytest

from packer.solver.certificate_check import Refused, verify_solution
from packer.spec.json_text import parse_json
from tests.fuzz import headers, trees
from tests.fuzz.targets import _PARSED_INSTANCES, EXPECTED, TARGETS, run

CHANGED = sorted(name for name, target in TARGETS.items() if target.change is not None)


def _changes(name: str, count: int) -> Iterator[bytes]:
    target, draw = TARGETS[name], Random(7)
    seeds = list(target.seeds())
    assert target.change is not None
    for _ in range(count):
        yield target.change(draw.choice(seeds), draw)


@pytest.mark.parametrize("name", CHANGED)
def test_changes_are_new_and_repeatable(name: str) -> None:
    made = list(_changes(name, 40))
    assert made == list(_changes(name, 40))
    new = set(made) - {b""} - set(TARGETS[name].seeds())
    assert len(new) > 10
    for content in new:
        run(TARGETS[name], content)


@pytest.mark.parametrize("name", ["fleet", "inventory", "plan", "instance", "sweep"])
def test_changed_documents_stay_documents(name: str) -> None:
    made = [content for content in _changes(name, 200) if content]
    of_form = sum(isinstance(trees.read(content), dict) for content in made)
    assert of_form > len(made) * 3 // 4
    accepted = sum(_is_accepted(name, content) for content in made)
    assert 0 < accepted < len(made)


def _is_accepted(name: str, content: bytes) -> bool:
    try:
        TARGETS[name].run(content)
    except EXPECTED:
        return False
    return True


def test_documents_without_end_are_left_alone() -> None:
    words = trees.vocabulary([b"a: [1]"])
    assert trees.changed(b"a: &a [*a]\n", words, Random(1)) == b""
    laughs = b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n".encode()
        for old, new in ("ab", "bc", "cd", "de", "ef")
    )
    assert trees.changed(laughs, words, Random(1)) == b""


def test_changed_headers_keep_their_lengths() -> None:
    made = [content.split(headers.NEXT_FILE)[0] for content in _changes("gguf", 60) if content]
    assert sum(headers.read(content) is not None for content in made) > len(made) * 3 // 4


def test_changed_certificates_are_sealed_again() -> None:
    """Otherwise every change would be refused at the seal, and nothing behind it be tried."""
    behind = {
        why
        for content in filter(None, _changes("certificate", 60))
        if "belongs to another instance" not in (why := _verdict(content))
    }
    assert len(behind) > 3


def _verdict(content: bytes) -> str:
    try:
        return str(verify_solution(_PARSED_INSTANCES[1], parse_json(content.decode())))
    except Refused as why:
        return str(why)
