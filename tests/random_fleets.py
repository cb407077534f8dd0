"""Random fleets and inventories as a user writes them: the same number gives the same two files.

Mostly small, some with a dozen workloads on dozens of cards. Contexts and slots come from short
lists, so that thousands of questions share the sizes that were computed once.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gguf_bytes import llama

Document = dict[str, Any]

# Model, quantizations from best to worst, contexts, and what is special about it.
_SMALL = (
    ("qwen3-0.6b", ("F16", "Q8_0", "Q4_K_M"), (512, 2000, 8192), ""),
    ("qwen3-1.7b", ("Q8_0", "Q4_K_M"), (2048, 8192), "draft"),
    ("llama-3.2-1b", ("F16", "Q6_K", "IQ4_XS"), (2048, 16384), ""),
    ("gemma-3-1b", ("F16", "Q4_K_M"), (4096, 8192), ""),
    ("qwen2.5-0.5b", ("Q8_0", "Q5_K_M"), (4096,), ""),
    ("granite-4.0-h-tiny", ("Q6_K", "Q4_K_M"), (4096, 8192), ""),
    ("lfm2-8b-a1b", ("Q8_0", "Q4_K_M"), (4096,), "experts"),
    ("bge-m3", ("F16", "Q8_0"), (2048, 8192), "embedding"),
    ("qwen3-embedding-0.6b", ("Q8_0",), (4096,), "embedding"),
    ("bge-reranker-v2-m3", ("F16", "Q4_K_M"), (4096,), "reranking"),
    ("./tiny.gguf", (), (512, 4096), ""),
    ("./tiny-{quantization}.gguf", ("large", "small"), (2048,), ""),
)
_LARGE = (
    ("llama-3.1-8b", ("Q8_0", "Q5_K_M", "Q4_K_M"), (8192, 16384), "demand"),
    ("gpt-oss-20b", ("MXFP4",), (8192, 32768), "experts"),
    ("qwen3-30b-a3b", ("Q8_0", "Q4_K_M"), (8192,), "demand"),
    ("qwen3.5-27b-mtp", ("Q6_K", "Q4_K_M"), (8192,), "mtp"),
    ("gemma-3-12b", ("Q8_0", "IQ4_XS"), (8192,), ""),
    ("llama-3.1-70b", ("Q6_K", "Q4_K_M", "IQ3_XXS"), (8192,), ""),
    ("gpt-oss-120b", ("MXFP4",), (16384,), "experts"),
)
_BY_HAND_MIB = (2200, 3500, 5000, 8000, 12000, 16000, 24000, 40000)
_PRODUCTS = ("T4", "L4", "A10", "RTX-4090", "L40S", "A100 SXM 80GB", "H100 SXM")
_SLICE = "A100 SXM 80GB 3g.40gb"


@dataclass(frozen=True)
class Question:
    """A fleet and an inventory; JSON, which is YAML too."""

    fleet: Document
    inventory: Document


def write_models(folder: Path) -> None:
    """The model files that the questions name, beside the fleet."""
    sizes = {"tiny": (4, 256, 12), "tiny-large": (8, 512, 1), "tiny-small": (8, 512, 8)}
    for name, (blocks, width, type_id) in sizes.items():
        made = llama(blocks, width, type_id=type_id)
        folder.joinpath(f"{name}.gguf").write_bytes(made.file())


def question(number: int) -> Question:
    """The question of a number."""
    draw = random.Random(number)
    scale = draw.choices((1, 2, 4), (14, 5, 1))[0]
    by_price = draw.random() < 0.4
    workloads = [_workload(draw, f"w{index}", scale) for index in range(draw.randint(1, 3 * scale))]
    names = [one["name"] for one in workloads]
    fleet: Document = {
        "apiVersion": "gpu-packer/v1",
        "kind": "Fleet",
        "metadata": {"name": f"fleet-{number}"},
        "serverImage": {"image": "ghcr.io/ggml-org/llama.cpp:server-cuda-b11434"},
        "objective": "price" if by_price else "cards",
        "defaults": {"headroom": draw.choice(({}, {"bytes": "100Mi", "percent": 3}, {"bytes": 0}))},
        "workloads": workloads,
    }
    if len(names) > 1 and draw.random() < 0.2:
        rule = draw.choice(("keepApart", "keepTogether"))
        fleet[rule] = [draw.sample(names, 2)]
    is_whole = draw.random() < 0.2
    pools = [
        _pool(draw, f"p{index}", scale, is_whole=is_whole, has_price=by_price)
        for index in range(draw.randint(1, 2 if scale == 1 else 3))
    ]
    if not any(pool.get("nodes", pool.get("maxNodes", 0)) for pool in pools):
        pools[0]["nodes"] = 1
    inventory = {
        "apiVersion": "gpu-packer/v1",
        "kind": "Inventory",
        "metadata": {"name": f"inventory-{number}"},
        "nodePools": pools,
    }
    return Question(fleet, inventory)


def _workload(draw: random.Random, name: str, scale: int) -> Document:
    menu = _LARGE if draw.random() < 0.15 * scale else _SMALL
    model, known, contexts, special = draw.choice(menu)
    replicas = draw.choices((1, 2, 3, 2 * scale), (6, 3, 1, 1))[0]
    one: Document = {
        "name": name,
        "model": model if model.startswith(".") else f"catalogue:{model}",
        "file": f"pvc://models/{name}-{{quantization}}.gguf",
        "context": draw.choice(contexts),
        "slots": draw.choice((1, 1, 2, 4)),
        "replicas": replicas,
        "cacheTypes": draw.choice((["f16"], ["f16", "q8_0"], ["q8_0"], ["q4_0", "f16"])),
    }
    if known:
        one["quantizations"] = list(known[draw.randrange(len(known)) :])
    else:
        one["file"] = f"pvc://models/{name}.gguf"
    _often(draw, one, 0.2, "kvUnified", (True,))
    _often(draw, one, 0.1, "flashAttention", ("auto",))
    _often(draw, one, 0.2, "spread", ("node", "zone") if replicas > 1 else ("none",))
    # A small model is seldom split: every way to split it is a computation of its own.
    _often(draw, one, 0.2 if menu is _LARGE else 0.8, "maxGpus", (1, 1, 1, 2))
    _often(draw, one, 0.05, "gpus", ({"refuse": ["L40S"]}, {"allow": ["A10", "L4"]}))
    _often(draw, one, 0.3, "promptCache", (0, "1Gi", "8Gi"))
    _often(draw, one, 0.1, "contextCheckpoints", (0, 32))
    _often(draw, one, 0.1, "ubatchSize", (256, 1024))
    _often(draw, one, 0.1, "fidelity", ("high",))
    _often(draw, one, 0.1, "spot", ("allowed",))
    _often(draw, one, 0.05, "minBitsPerWeight", (4,))
    _specialities(draw, one, special)
    return one


def _often(
    draw: random.Random, one: Document, share: float, key: str, values: tuple[Any, ...]
) -> None:
    if draw.random() < share:
        one[key] = draw.choice(values)


def _specialities(draw: random.Random, one: Document, special: str) -> None:
    """What only some models can: embed, rerank, draft, leave experts on the host, meet a demand."""
    if special in ("embedding", "reranking"):
        one[special] = True
        one["cacheTypes"] = ["f16"]
    if special == "draft" and draw.random() < 0.5:
        one["draft"] = {
            "model": "catalogue:qwen3-0.6b",
            "file": "pvc://models/draft.gguf",
            "quantization": "Q8_0",
            "depth": draw.randint(1, 8),
        }
    if special == "experts" and draw.random() < 0.4:
        one["partialOffload"] = draw.choice(("experts", "layers"))
        one["goals"] = {"decodeTokensPerSecond": draw.choice((2, 20))}
    if special == "mtp" and draw.random() < 0.6:
        one["speculation"] = {"allow": ["none", "mtp", "ngram"], "depths": [1, 2]}
    if special == "demand" and draw.random() < 0.5:
        _demand(draw, one)


def _demand(draw: random.Random, one: Document) -> None:
    one["demand"] = {
        "requestsPerSecond": draw.choice((0.05, 0.5, 2)),
        "inputTokens": {"p50": 500, "p95": 2000},
        "outputTokens": {"p50": 129, "p95": 424},
    }
    one["goals"] = {"decodeTokensPerSecond": draw.choice((5, 20)), "firstTokenSeconds": {"p95": 5}}
    if draw.random() < 0.5:
        del one["replicas"]
        one.pop("spread", None)
    if draw.random() < 0.5:
        del one["slots"]
        one.pop("kvUnified", None)
        one["kv"] = draw.choice(("shared", "guaranteed"))


def _pool(
    draw: random.Random, name: str, scale: int, *, is_whole: bool, has_price: bool
) -> Document:
    """One pool; a few lie in zones, hold others' memory, or have dead nodes."""
    gpus = draw.choice((1, 1, 2, 2, 4))
    nodes = draw.randint(1, 3 * scale)
    one: Document = {
        "name": name,
        "gpu": _card(draw),
        "gpusPerNode": gpus,
        draw.choice(("nodes", "nodes", "nodes", "maxNodes")): nodes,
        "hostMemory": draw.choice(("4Gi", "12Gi", "128Gi", "512Gi", "512Gi")),
        "sharing": "whole" if is_whole else draw.choice(("dra", "dra", "dra-memory", "hami")),
    }
    if isinstance(one["gpu"], str) and one["gpu"] == _SLICE:
        one["sharing"] = "mig"
    _often(draw, one, 0.3, "hostMemoryBandwidth", ("300G",))
    if has_price or draw.random() < 0.3:
        one["pricePerHour"] = {
            "onDemand": draw.randint(10, 900) / 100,
            "spot": draw.randint(5, 300) / 100,
        }
        _often(draw, one, 0.15, "payment", ("spot",))
    if draw.random() < 0.3:
        first = draw.randint(0, nodes)
        zones = {draw.choice(("east", "west")): first, "north": nodes - first}
        one["zones"] = {zone: count for zone, count in zones.items() if count}
    if gpus == 4 and draw.random() < 0.5:
        one["linkGroups"] = [[0, 1], [2, 3]]
    if draw.random() < 0.25:
        node = f"{name}-{draw.randrange(nodes)}"
        one["taken"] = {node: {f"gpu{draw.randrange(gpus)}": f"{draw.choice((100, 1500))}Mi"}}
    if draw.random() < 0.15:
        one["hostTaken"] = {f"{name}-{draw.randrange(nodes)}": "3Gi"}
    if nodes > 1 and draw.random() < 0.2:
        one["unavailable"] = [f"{name}-{draw.randrange(nodes)}"]
    return one


def _card(draw: random.Random) -> Document | str:
    if draw.random() < 0.5:
        return draw.choice((*_PRODUCTS, _SLICE))
    size = draw.choice(_BY_HAND_MIB)
    return {
        "name": f"X{size // 1000}",
        "memory": f"{size + 500}Mi",
        "allocatable": f"{size}Mi",
        "bandwidth": "600G",
        "computeCapability": 8.9 if size > 10_000 else 7.5,
    }
