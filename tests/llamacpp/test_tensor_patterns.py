"""Patterns of `--override-tensor`: what llama.cpp does not take, we refuse."""

from pathlib import Path

import pytest

from packer.memory.tensor_pattern import check_pattern
from tests.llamacpp.oracle import Oracle
from tests.tiny_models import TinyShape, write_tiny_model

TAKEN = (
    "ffn_(up|down)",
    r"blk\.[[:digit:]]+\.ffn",
    "(?:ffn)_up",
    "ffn(?!_up)",
    r"[\d]+",
    "a{2}",
    "a{1000}",
    "a+?",
    r"\bffn",
    r"(a)\1",
    "a|",
    r"\x62lk",
    "^blk",
    "weight$",
    r"a\{b",
    "[{(?i)]",
)
REFUSED = (
    "(?i)ffn",
    "(?P<name>ffn)",
    "(?<name>ffn)",
    "(?>ffn)",
    "(?#ffn)",
    "a{2",
    "{",
    "*a",
    "(a",
    "a)",
    "[a",
    r"\2",
    "[b-a]",
)
STRICTER = ("a**", "a++", "a{1001}", "[]", "a" * 4097)
"""Taken by llama.cpp, which reads them otherwise than Python, or for ever."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patterns")
    return write_tiny_model(folder / "model.gguf", TinyShape(layers=2))


def loads(oracle: Oracle, model: Path, pattern: str) -> bool:
    argv = ["llama-server", "-m", str(model), "-c", "512", "-np", "1", "-ot", f"{pattern}=CPU"]
    return oracle.project([*argv, "--fit", "off", "--no-repack"]).is_accepted


@pytest.mark.parametrize("pattern", TAKEN)
def test_what_llamacpp_takes_is_taken(oracle: Oracle, model: Path, pattern: str) -> None:
    check_pattern(pattern)
    assert loads(oracle, model, pattern)


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_llamacpp_refuses_is_refused(oracle: Oracle, model: Path, pattern: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_pattern(pattern)
    assert not loads(oracle, model, pattern)


@pytest.mark.parametrize("pattern", STRICTER)
def test_what_is_read_otherwise_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_pattern(pattern)
