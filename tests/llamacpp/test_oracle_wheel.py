"""The installed wheel, asked through ``--oracle``: its bytes and ours are equal."""

import subprocess
import sys
from pathlib import Path

import pytest

from packer import api
from packer.api.cards import cards_by_size
from packer.errors import InvalidInput
from packer.llamacpp import oracle_child
from packer.report.oracle_comparison import OracleComparison
from tests.tiny_models import TinyShape, write_tiny_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("llama", "gemma3", "qwen3moe"):
        write_tiny_model(folder / f"{name}.gguf", TinyShape(architecture=name, layers=6))
    return folder


@pytest.fixture(autouse=True)
def _no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A llama-fit-params of the machine is not asked instead."""
    monkeypatch.setenv("PATH", "")


def _differences(comparison: OracleComparison) -> list[int]:
    return [comparison.difference(part) for part in comparison.parts]


@pytest.mark.parametrize(
    "flags",
    [
        "-c 4096",
        "-c 16384 -np 4",
        "-c 5000 -np 3 -ub 64 -b 128",
        "-c 8192 -ctk q8_0 -ctv q8_0 -fa on",
        "-np 2 --kv-unified-per-slot 1024 --kv-unified",
        "--swa-full -fa off",
    ],
)
@pytest.mark.parametrize("name", ["llama", "gemma3", "qwen3moe"])
def test_both_columns_are_equal(name: str, flags: str, models: Path) -> None:
    words = f"llama-server -m {name}.gguf {flags}".split()
    found = api.ask_oracle(words, (), models=models)
    assert [part.part for part in found.parts] == ["weights", "context", "compute"]
    assert {part.device for part in found.parts} == {"Host"}
    assert _differences(found)[:2] == [0, 0]
    assert found.oracle.startswith("xllamacpp ")
    assert found.resolution_bytes == 1


def test_an_estimate_that_is_wrong_would_show(models: Path) -> None:
    words = ["llama-server", "-m", "llama.gguf", "-c", "4096"]
    found = api.ask_oracle(words, (), models=models)
    half = found.parts[1]
    assert (
        found.difference(type(half)("Host", "context", 2 * half.our_bytes, half.oracle_bytes)) > 0
    )


def test_cards_the_wheel_does_not_see_are_said(models: Path) -> None:
    words = ["llama-server", "-m", "llama.gguf", "-c", "4096", "--metrics", "-ngl", "3"]
    found = api.ask_oracle(words, cards_by_size("24Gi"), models=models)
    assert _differences(found)[:2] == [0, 0]
    assert any("sees no card" in note for note in found.notes)


def test_what_llama_cpp_refuses_is_told_in_its_words(models: Path) -> None:
    words = ["llama-server", "-m", "llama.gguf", "-c", "4096", "--grammar-file", "/nowhere"]
    with pytest.raises(InvalidInput) as error:
        api.ask_oracle(words, (), models=models)
    (problem,) = error.value.problems
    assert problem.code == "P0492"
    assert "/nowhere" in problem.why


def test_another_layout_is_refused_before_anything_is_called() -> None:
    oracle_child.check_layout(oracle_child.PARAMS_BYTES)
    with pytest.raises(SystemExit, match="not known"):
        oracle_child.check_layout(oracle_child.PARAMS_BYTES + 8)


_NAMES = """
import ctypes
from xllamacpp import xllamacpp
from packer.llamacpp.oracle_child import device_names
library = ctypes.CDLL(xllamacpp.__file__)
get = library["ggml_backend_dev_get"]
get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
held = (ctypes.c_void_p * 2)(get(0), get(0))
first = ctypes.addressof(held)
print(device_names(library, (ctypes.c_void_p * 3)(first, first + ctypes.sizeof(held), 0)))
"""


def test_devices_are_named_as_llama_cpp_names_them() -> None:
    """The wheel here knows the host alone, so its CPU stands in for two cards."""
    done = subprocess.run(
        [sys.executable, "-c", _NAMES], capture_output=True, text=True, check=False
    )
    assert done.stdout == "['CPU', 'CPU']\n", done.stderr
