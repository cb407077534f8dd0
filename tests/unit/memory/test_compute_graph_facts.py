"""Every tensor of our graphs is that of the real llama.cpp: operation, layout, operands, place.

The record was asked from the pinned wheel, see ``tests/llamacpp/record_graphs.py``. The wheel is
newer than the build whose bytes ours equals; where that shows, the difference itself must stay.
"""

from collections import defaultdict
from typing import Any

import pytest

from packer.memory.compute_graphs.context import Batch
from tests.graph_facts import Asked, differences, record, without_scales
from tests.graph_variants import recorded_model, tiny_base, variants

_EARLIER_ROWS = "newer builds take the wanted rows before the last feed-forward network"
_LATE_PADS = "newer builds make room for deep embeddings behind both look-ups"
_FLAT_STATES = "llama.cpp looks at several sequences' states as one row; we at a row for each"

DIFFERENT = {
    "bailingmoe3-moe.gguf": _EARLIER_ROWS,
    "cohere2moe-moe.gguf": _EARLIER_ROWS,
    "deepseek2-moe.gguf": "newer builds leave the queries of its nextn block flat",
    "gemma-4-e2b-Q4_K_M.gguf": "newer builds look the blocks' own embeddings up first",
    "gpt-oss-moe.gguf": _EARLIER_ROWS,
    "granite-dense.gguf": _LATE_PADS,
    "granite_swa-dense.gguf": _LATE_PADS,
    "grok-moe.gguf": "newer builds cap scores, so that one of them has no flash attention",
    "hy_v3-moe.gguf": _EARLIER_ROWS,
    "kimi-linear-moe.gguf": _FLAT_STATES,
    "mimo2-moe.gguf": "newer builds let the last block's result leave the graph",
    "minimax-01-moe.gguf": _FLAT_STATES,
    "modern-bert-dense.gguf": "geglu_erf is its activation, as large as swiglu; ranks by the mean",
    "nemotron_h-dense.gguf": _EARLIER_ROWS,
    "nemotron_h_moe-dense.gguf": _EARLIER_ROWS,
    "qwen3-next-80b-a3b-Q4_K_M.gguf": _EARLIER_ROWS,
    "qwen35-dense.gguf": _EARLIER_ROWS,
    "qwen35moe-moe.gguf": _EARLIER_ROWS,
    "qwen3next-moe.gguf": _EARLIER_ROWS,
    "qwen3vl-dense.gguf": _LATE_PADS,
    "qwen3vlmoe-moe.gguf": _LATE_PADS,
}
"""Files some of whose graphs, or of whose variants' graphs, differ, and how."""

GRAPHS: dict[str, list[dict[str, Any]]] = defaultdict(list)
for _one in record():
    GRAPHS[_one["model"]].append(_one)


@pytest.mark.parametrize("name", sorted(GRAPHS.keys() - variants().keys()))
def test_graphs_are_those_of_llamacpp(name: str) -> None:
    compare(name)


@pytest.mark.parametrize("name", sorted(variants()))
def test_graphs_of_variants_are_those_of_llamacpp(name: str) -> None:
    compare(name)


def compare(name: str) -> None:
    assert GRAPHS[name]
    whole = recorded_model(name)
    bare = without_scales(whole)
    for one in GRAPHS[name]:
        model = whole if one["has_scales"] else bare
        ours = Asked(model, one["command"], one["is_nextn"]).lines(Batch(*one["batch"]))
        assert differences(ours, one["lines"]) == one["differs"], one["command"]


def test_only_named_files_differ() -> None:
    found = {name for name, graphs in GRAPHS.items() if any(one["differs"] for one in graphs)}
    assert {tiny_base(name) for name in found} == DIFFERENT.keys()
