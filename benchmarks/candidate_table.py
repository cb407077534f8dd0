"""Candidates of many workloads with demands on six GPU products: how many a second. Exit 1 if slow.

Run by `make candidate-table`. CPU seconds of one process are counted, reading of headers included.
A fixed load of plain Python runs in between: where it takes longer than on a quiet machine, so does
the table, and the last line says what the whole is by that measure. The bars are held to what was
really counted.
"""

import sys
import time
from collections import Counter
from statistics import median

from benchmarks.estimate_rate import fixed_load_seconds
from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import find_model, load_model_file
from packer.domain.demand import Demand, Goals
from packer.domain.workload import Variant, Workload
from packer.performance.request_mix import lognormal_mix
from packer.solver.candidate import Offer
from packer.solver.candidates import find_candidates_by_replicas
from packer.units import GIB

GPUS = ("L40S", "A100 SXM 80GB", "H100 SXM", "RTX 4090", "RTX 3090", "A40")
MODELS = {
    "llama-3.1-8b": ("Q6_K", "Q4_K_M"),
    "llama-3.1-70b": ("Q6_K", "Q4_K_M"),
    "qwen3-14b": ("Q6_K", "Q4_K_M"),
    "qwen3-32b": ("Q6_K", "Q4_K_M"),
    "qwen3-30b-a3b": ("Q6_K", "Q4_K_M"),
    "gemma-3-27b": ("Q6_K", "Q4_K_M"),
    "gpt-oss-20b": ("MXFP4",),
    "mistral-small-24b": ("Q6_K", "Q4_K_M"),
    "qwen2.5-7b": ("Q6_K", "Q4_K_M"),
    "phi-4": ("Q6_K", "Q4_K_M"),
}
WORKLOADS = 100
LOAD_EVERY = 5
MOST_SECONDS = 5.0
LEAST_PER_SECOND = 200.0
QUIET_LOAD_SECONDS = 0.074
"""The fixed load on the two-core machine these figures are from, with nothing else to do."""


def main() -> int:
    """Print seconds by model, the fixed load, and the bars."""
    offers = tuple(_offer(name) for name in GPUS)
    seconds: dict[str, float] = dict.fromkeys(MODELS, 0.0)
    found: Counter[str] = Counter()
    loads: list[float] = []
    for number in range(WORKLOADS):
        if number % LOAD_EVERY == 0:
            loads.append(fixed_load_seconds())
        model = list(MODELS)[number % len(MODELS)]
        begun = time.process_time()
        sets = find_candidates_by_replicas(_workload(number, model), offers, build="b11434")
        seconds[model] += time.process_time() - begun
        found[model] += sum(len(one.candidates) for one in sets)
    for model, spent in sorted(seconds.items(), key=lambda one: -one[1]):
        print(f"{model:20} {found[model]:6} candidates {spent:6.2f} s")
    total, spent = found.total(), sum(seconds.values())
    is_slow, is_late = total / spent < LEAST_PER_SECOND, spent > MOST_SECONDS
    print(f"{WORKLOADS} workloads × {len(GPUS)} GPUs, {total} candidates")
    print(_bar(f"{total / spent:.0f} per second", f"≥ {LEAST_PER_SECOND:.0f}", is_slow))
    print(_bar(f"{spent:.1f} s in all", f"≤ {MOST_SECONDS:.0f} s", is_late))
    load = median(loads)
    print(
        f"fixed load: {load:.3f} s in the middle of {len(loads)}, {QUIET_LOAD_SECONDS:.3f} s on a "
        f"quiet machine; by it {spent * QUIET_LOAD_SECONDS / load:.1f} s in all"
    )
    return 1 if is_slow or is_late else 0


def _bar(found: str, asked: str, is_missed: bool) -> str:
    return f"{found:20} asked {asked:8} {'MISSED' if is_missed else 'met'}"


def _offer(name: str) -> Offer:
    gpu = find_gpu(name)
    return Offer(gpu, 8, gpu.allocatable_bytes - GIB, 512 * GIB)


def _workload(number: int, model: str) -> Workload:
    """The number-th workload: models repeat with other contexts, rates and lengths."""
    header = find_model(model).id
    variants = tuple(Variant(one, load_model_file(header, one)) for one in MODELS[model])
    round_ = number // len(MODELS)
    rate = 0.5 + number % 7 * 0.3
    mix = lognormal_mix(500 + 10 * number, 2000 + 10 * number, 100, 400)
    return Workload(
        f"w{number}",
        model,
        variants,
        8192 + 4096 * round_,
        cache_types=("f16", "q8_0"),
        demand=Demand(rate, mix, 1.0, rate),
        goals=Goals(10.0, 5.0),
        derives_slots=True,
        derives_replicas=True,
    )


if __name__ == "__main__":
    sys.exit(main())
