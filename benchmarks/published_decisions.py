"""The decision table of the article for a 16 GB card, as real plans of real fleets."""

import tempfile
from collections.abc import Iterator
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks import published_mtp
from packer import api
from packer.catalogue.gpus import find_gpu
from packer.domain.llama_build import MEASURED_BUILD
from packer.memory.compute_buffer import UNMEASURED_HIGH
from packer.units import KIB

_FLEET = """apiVersion: gpu-packer/v1
kind: Fleet
metadata: {{name: decision}}
serverImage: {{image: example.org/llama.cpp:server-cuda-{build}, build: {build}}}
defaults:
  headroom: {{bytes: {headroom}, percent: 0}}
workloads:
- name: model
  model: catalogue:{model}
  file: pvc://models/model-{{quantization}}.gguf
  quantizations: [{quantization}]
  context: {context_ki}Ki
  slots: 1
  cacheTypes: [{caches}]
  speculation: {{allow: [none, mtp], acceptance: {acceptance}}}
"""
_INVENTORY = """apiVersion: gpu-packer/v1
kind: Inventory
metadata: {{name: one-card}}
nodePools:
- {{name: card, gpu: {gpu}, gpusPerNode: 1, nodes: 1, hostMemory: 64Gi}}
"""


def planned_decision(article: dict[str, Any], wish: dict[str, Any], build: str = "") -> str:
    """What a plan with one workload and one card chooses for one use.

    Args:
        article: The article, for what it measured of the plain model.
        wish: Model, card, context and accepted cache types.
        build: llama.cpp build; empty is the article's.
    """
    build = build or article["build"]
    fleet = _FLEET.format(
        build=build,
        headroom=_headroom_bytes(article, wish["model"], build),
        model=wish["model"],
        quantization=published_mtp.QUANTIZATION,
        context_ki=wish["context_ki"],
        caches=", ".join(wish["caches"]),
        acceptance=article["acceptance"],
    )
    return _planned(fleet, _INVENTORY.format(gpu=wish["gpu"]))


@cache
def _planned(fleet: str, inventory: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "fleet.yaml"), Path(folder, "inventory.yaml")
        for path, text in zip(paths, (fleet, inventory), strict=True):
            path.write_text(text, encoding="utf-8")
        plan = api.plan(api.load(*paths))
    argv = plan.placements[0].argv
    cache_type = argv[argv.index("--cache-type-k") + 1]
    if "--spec-type" not in argv:
        return f"standard, {cache_type}"
    return f"mtp, depth {argv[argv.index('--spec-draft-n-max') + 1]}, {cache_type}"


def _headroom_bytes(article: dict[str, Any], model: str, build: str) -> int:
    """What the plain row leaves of the card, by the plan's upper bands: the article's reserve.

    The plan holds upper bands of the catalogue's file against the card; where those are larger than
    what really ran, nothing is kept free. Compute buffers have a band where the plan's have one.
    """
    plain = next(row for row in article["rows"] if row["model"] == model and not row["drafted"])
    ran = published_mtp.memory_of(article, plain, plain["context_ki"] * KIB).devices[0]
    used = ran.high_bytes
    if build == MEASURED_BUILD:
        used -= ceil(ran.compute_bytes * (UNMEASURED_HIGH - 1))
    return max(0, find_gpu(article["gpu"]).allocatable_bytes - used)


def section(article: dict[str, Any]) -> Iterator[str]:
    """The table of decisions, and why plans differ from the article's."""
    plans = f"plan, {article['build']} | plan, {MEASURED_BUILD}"
    yield f"| use | card | context | article | our rules | {plans} |"
    yield "|---|---|---|---|---|---|---|"
    for wish in article["decisions"]:
        yield (
            f"| {wish['use']} | {wish['gpu']} | {wish['context_ki']}Ki | {wish['decided']} | "
            f"{published_mtp.decision(article, wish)} | {planned_decision(article, wish)} | "
            f"{planned_decision(article, wish, MEASURED_BUILD)} |"
        )
    yield f"""
“Our rules” are the speed rules alone, at the article's depth of {article["depth"]:,} tokens: depths
0 to 3 in every cache type that is accepted, what does not fit left out, the fastest taken, of ways
within 5 % the one that drafts least. The last two columns are what `gpu-packer plan` writes for a
fleet of that one workload on one card, whose headroom is what the article's plain row left free.
Where a plan differs from the article:

* **Long summaries.** A plan judges a conversation at half of its context, here 32Ki tokens. There a
  cache of q5_1, which builds of that spring attend to on the CPU, is slower than no drafts at all;
  the article measured near an empty context. Newer builds have kernels for it, but do not need
  it: without the logits of a whole physical batch, drafting fits at q8_0, which is wanted more.
* **Agentic work and the mixture of experts on 16 GB** draft with newer builds for that reason."""
