"""Overrides of strangers: layers without end, patterns that are none."""

import itertools
import time

import pytest

from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput
from packer.memory import tensor_pattern
from packer.memory.estimate import estimate_memory
from packer.memory.layer_split import HOST
from packer.memory.tensor_override import tensor_overrides
from tests.memory_models import MadeUp, cards


def test_layers_beyond_any_model_are_all_layers() -> None:
    options = ServerOptions(model="m.gguf", cpu_moe_layers=2_000_000_000)
    ((pattern, device),) = tensor_overrides(options, 1)
    assert device == HOST
    assert "|511)" in pattern
    assert len(pattern) < 3_000


@pytest.mark.parametrize("pattern", ["(", "(" * 900, "a{99999999999999999999}"])
def test_patterns_that_no_expression_can_be_are_refused(pattern: str) -> None:
    options = ServerOptions(model="m.gguf", override_tensors=((pattern, "CPU"),))
    with pytest.raises(InvalidInput) as caught:
        tensor_overrides(options, 1)
    assert [problem.code for problem in caught.value.problems] == ["P0508"]


def weights_on_host(pattern: str) -> int:
    options = ServerOptions(
        context_size=512, slots=1, fit=False, override_tensors=((pattern, "CPU"),)
    )
    return estimate_memory(MadeUp().file(), options, cards(1)).host.weights_bytes


def test_a_search_without_end_is_ended() -> None:
    begun = time.process_time()
    with pytest.raises(InvalidInput, match="P0508") as caught:
        weights_on_host(r"(\w|.)*(x|[0-9])$")
    assert time.process_time() - begun < 5
    assert "more ways" in caught.value.problems[0].why


def test_all_searches_share_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    is_found = tensor_pattern.pattern_finder("ffn")
    clock = itertools.count(0.0, 0.2)  # each look at it is 0.2 s after the one before
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    assert is_found("blk.0.ffn_gate")
    assert not is_found("blk.0.attn_q")
    assert is_found("blk.0.ffn_up")
    with pytest.raises(InvalidInput, match="P0508"):
        is_found("blk.0.ffn_down")


@pytest.mark.parametrize("digits", [r"\d+", "[0-9]+", "[[:digit:]]+", r"[\d]+"])
def test_classes_are_those_of_the_server(digits: str) -> None:
    every = weights_on_host(r"blk\.(0|1|2|3|4|5|6|7|8|9)+\.ffn")
    assert weights_on_host(rf"blk\.{digits}\.ffn") == every > weights_on_host("none of them")
