"""Reduce published llama.cpp speeds to the rows and columns the speed model is checked on.

    python benchmarks/make_speed_rows.py llama_cpp_bench.csv tests/data/performance/rows.csv.gz

Kept are rows of quality A, B and S whose model is in the catalogue under its own name or as a
fine-tune of one that is, on GPUs of the catalogue. Equal settings of one source become their
median. Left out, by rule: quality C; models nobody can identify; rows that claim more than the
specified bandwidth allows, with all rows of the same source, GPU and model; rows without stated
offload whose model does not fit the card with 4,096 tokens of context by our own memory model.
"""

import csv
import gzip
import re
import statistics
import sys
from collections import Counter, defaultdict
from pathlib import Path

from packer.catalogue.gpus import find_gpu, gpu_products
from packer.catalogue.models import catalogue_models, load_model_file
from packer.domain.server_options import ServerOptions
from packer.memory.estimate import estimate_memory
from packer.memory.result import Card
from packer.performance.model_reads import model_reads
from packer.units import GIB

# Columns that distinguish settings; tokens_per_second is their median, rows how many there were.
KEYS = (
    "source", "quality", "kind", "gpu", "backend", "build", "model", "quantization", "label",
    "size_ratio", "depth", "prompt", "generated", "slots", "ubatch", "flash_attention", "key",
    "value", "gpu_layers", "cpu_moe", "legacy", "server",
)  # fmt: skip
_GPUS = {
    "RTX 3060": "RTX 3060 12GB",
    "RTX 3080": "RTX 3080 10GB",
    "RTX 4060 Ti": "RTX 4060 Ti 16GB",
    "A100 80GB": "A100 SXM 80GB",
    "RTX PRO 6000 Blackwell": "RTX PRO 6000 Blackwell Workstation",
    "Radeon 8060S (Strix Halo)": "Radeon 8060S",
    "GB10 (DGX Spark)": "GB10",
    "MI50": "MI50 32GB",
    "P100": "P100 PCIe 16GB",
    "Apple M2 Ultra": "Apple M2 Ultra",
}
_SAME_SHAPE = {
    "llama-3-8b": "llama-3.1-8b",
    "llama-3-70b": "llama-3.1-70b",
    "meta-llama-3-8b-instruct": "llama-3.1-8b",
    "shisa-v2-llama3.1-8b.i1": "llama-3.1-8b",
    "llama-3.1-nemotron-nano-8b-v1": "llama-3.1-8b",
    "deepseek-r1-14b": "qwen2.5-14b",
    "deepseek2-30b.a3b": "glm-4.7-flash",
    "qwen3moe-30b.a3b": "qwen3-30b-a3b",
    "qwen3-omni-30b-a3b": "qwen3-30b-a3b",
    "gemma3-4b": "gemma-3-4b",
    "ornith-1.0-35b": "qwen3.5-35b-a3b",
    "ornith-1.0-9b": "qwen3.5-9b",
    "qwythos-9b": "qwen3.5-9b",
    "ornstein3.6-35b-a3b": "qwen3.5-35b-a3b",
    "gemopus-4-26b-a4b": "gemma-4-26b-a4b",
    "granite-3.1-8b": "granite-3.3-8b",
    "nemotron-cascade-2-30b-a3b": "nemotron-3-nano-30b-a3b",
    "nemotron-3-nano-omni-30b-a3b": "nemotron-3-nano-30b-a3b",
    "lfm2.5-8b-a1b": "lfm2-8b-a1b",
    "glm-z1-32b-0414": "glm-4-32b-0414",
    "magistral-small-2507": "mistral-small-24b",
    "qwen3-next-80b-a3b": "qwen3-next-80b-a3b",
}
_CACHE_TYPES = {"": "f16", "fp16": "f16", "auto": "f16"}
_CATALOGUE = {model.id: model for model in catalogue_models()}


def main() -> None:
    """Read, reduce, write, and say what was left out."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    left_out: Counter[str] = Counter()
    rows = []
    with source.open(encoding="utf-8", newline="") as file:
        for raw in csv.DictReader(file):
            row, why = _reduced(raw)
            if row is None:
                left_out[why] += 1
            else:
                rows.append(row)
    impossible = {_group(row) for row in rows if _is_impossible(row)}
    kept = [row for row in rows if _group(row) not in impossible]
    left_out["beyond the specified bandwidth"] = len(rows) - len(kept)
    merged: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in kept:
        merged[tuple(row[key] for key in KEYS)].append(float(row["tokens_per_second"]))
    with gzip.open(target, "wt", encoding="utf-8", newline="", compresslevel=9) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*KEYS, "rows", "tokens_per_second"))
        for settings, speeds in sorted(merged.items()):
            writer.writerow((*settings, len(speeds), f"{statistics.median(speeds):.5g}"))
    print(f"{len(merged)} settings of {len(kept)} rows")
    for why, count in left_out.most_common():
        print(f"{count:6} left out: {why}")


def _reduced(raw: dict[str, str]) -> tuple[dict[str, str] | None, str]:
    """A row of our columns, or why there is none."""
    kind, slots = _kind(raw)
    gpu = _gpu(raw["gpu"])
    model = _model(raw["model"])
    wrong = (
        (raw["quality"] == "C", "quality C"),
        (not kind or raw["spec_type"] not in ("", "none"), "speculation or another kind"),
        (raw["gpu_count"] not in ("", "1") or "RPC" in raw["backend"], "several GPUs"),
        (raw["backend"].lower() == "cpu" or "mlx" in raw["model"], "another engine"),
        (gpu is None, "GPU not in the catalogue"),
        (model is None, "model not in the catalogue"),
        (not raw["tokens_per_s"] or float(raw["tokens_per_s"]) <= 0, "no speed"),
    )
    for is_wrong, why in wrong:
        if is_wrong:
            return None, why
    quantization = _quantization(model, raw)
    types = [_CACHE_TYPES.get(raw[name], raw[name]) for name in ("ctk", "ctv")]
    if quantization is None or not set(types) <= {"f16", "q8_0", "q4_0", "q5_1"}:
        return None, "element types not known"
    size = float(raw["size_gib"] or 0) * GIB
    row = {
        "source": raw["source"],
        "quality": raw["quality"],
        "kind": kind,
        "gpu": gpu,
        "backend": raw["backend"].lower(),
        "build": raw["build"],
        "model": model,
        "quantization": quantization,
        "label": raw["quant"],
        "size_ratio": f"{size / _CATALOGUE[model].file_bytes[quantization]:.3f}" if size else "1",
        "depth": str(_depth(raw)),
        "prompt": str(int(float(raw["n_prompt"] or 0))),
        "generated": str(int(float(raw["n_gen"] or 0))),
        "slots": slots,
        "ubatch": str(int(float(raw["n_ubatch"] or 512))),
        "flash_attention": "0" if _is_without_flash_attention(raw) else "1",
        "key": types[0],
        "value": types[1],
        "legacy": "1" if raw["source"] == "XiongjieDai" else "0",
        "server": "1"
        if raw["kind"].startswith("server") and "llama-bench" not in raw["note"]
        else "0",
        "tokens_per_second": raw["tokens_per_s"],
    }
    row["gpu_layers"], row["cpu_moe"], is_stated = _offload(raw, model)
    if not is_stated and gpu != "Apple M2 Ultra" and not _fits(row, gpu):
        return None, "does not fit the card, offload not stated"
    return row, ""


def _kind(raw: dict[str, str]) -> tuple[str, str]:
    """What was measured, and how many slots."""
    if raw["kind"] in ("batched_tg", "batched_pp"):
        return ("batch" if raw["kind"] == "batched_tg" else ""), raw["n_parallel"]
    # llama-bench's --batch-size was taken for slots there.
    if raw["kind"] == "server_agg" and "llama-bench" in raw["note"]:
        return "decode", "1"
    kinds = {"tg": "decode", "server_tg": "decode", "pp": "prefill", "server_pp": "prefill"}
    return kinds.get(raw["kind"], "") if raw["n_parallel"] in ("", "1") else "", "1"


def _depth(raw: dict[str, str]) -> int:
    """Depth at the start; an explicit ``-d`` of the noted command wins."""
    said = re.search(r"llama-bench.* -d (\d+)\b", raw["note"])
    if said:
        return int(said[1])
    if raw["kind"] in ("pp", "server_pp") and raw["depth"] == raw["n_prompt"]:
        return 0
    return int(float(raw["depth"] or 0))


def _is_without_flash_attention(raw: dict[str, str]) -> bool:
    """Off where it says so; servers since late 2025 turn it on by themselves."""
    return raw["flash_attn"] in ("0", "False", "off") or raw["source"].startswith("llama.cpp PR")


def _offload(raw: dict[str, str], model: str) -> tuple[str, str, bool]:
    """Layers on the card, blocks with experts on the CPU, and whether the row says either."""
    experts = raw["n_cpu_moe"] if raw["n_cpu_moe"] not in ("", "0") else ""
    if raw["source"] == "ghost91-fit-bench" and raw["ngl"].isdigit():
        is_moe = _CATALOGUE[model].params_active < 0.9 * _CATALOGUE[model].params_total
        return raw["ngl"], raw["offload"] if is_moe else "", True
    if experts:
        return raw["ngl"], experts, True
    if raw["source"] in ("article B: RTX 4060 Laptop",) and raw["ngl"].isdigit():
        return raw["ngl"], "", True
    return "", "", False


def _fits(row: dict[str, str], gpu: str) -> bool:
    """Whether 4,096 tokens of context fit the card beside the model."""
    product = find_gpu(gpu)
    model = load_model_file(row["model"], row["quantization"])
    card = Card(gpu, product.allocatable_bytes, None, product.generation)
    memory = estimate_memory(model, ServerOptions(context_size=4096, slots=1), (card,))
    extra = (float(row["size_ratio"]) - 1) * model.file_bytes
    return memory.devices[0].total_bytes + extra <= product.allocatable_bytes


def _is_impossible(row: dict[str, str]) -> bool:
    """Whether a step would read faster than the specification allows."""
    if row["kind"] != "decode" or row["gpu_layers"] or row["gpu"] == "Apple M2 Ultra":
        return False
    reads = model_reads(load_model_file(row["model"], row["quantization"]))
    read = sum(
        sum(layer.weights.values()) + sum(layer.experts.values()) * reads.share_used
        for layer in reads.layers
    )
    rate = read * float(row["size_ratio"]) * float(row["tokens_per_second"])
    return rate > 1.02 * find_gpu(row["gpu"]).bandwidth_bytes_per_second


def _group(row: dict[str, str]) -> tuple[str, str, str]:
    return row["source"], row["gpu"], row["model"]


def _gpu(name: str) -> str | None:
    known = {product.name: product for product in gpu_products()}
    chosen = _GPUS.get(name, name)
    return chosen if chosen in known or chosen == "Apple M2 Ultra" else None


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower())


def _model(label: str) -> str | None:
    """Catalogue id of the longest known name within a label."""
    text, names = _key(label), dict(_SAME_SHAPE)
    for model in _CATALOGUE.values():
        names |= {_key(name): model.id for name in (model.id, *model.aliases)}
    for name in sorted(names, key=len, reverse=True):
        start = text.find(name)
        end = start + len(name)
        if start >= 0 and text[start - 1 : start] in ("", "-") and text[end : end + 1] in ("", "-"):
            return names[name]
    return None


def _quantization(model: str, raw: dict[str, str]) -> str | None:
    """Nearest quantization of the catalogue; its bytes are scaled to the row's."""
    sizes = _CATALOGUE[model].file_bytes
    label = raw["quant"].upper().replace("UD-", "").replace("BF16", "F16")
    stem = label.split("_")[0]
    candidates = [label, re.sub(r"_(XL|L|S|NL|P)$", "_M", label), *_stand_ins(stem)]
    for name in candidates:
        if name in sizes:
            return name
    if len(sizes) == 1:
        return next(iter(sizes))
    return None


def _stand_ins(stem: str) -> tuple[str, ...]:
    if stem.startswith("Q4") or stem in ("NVFP4", "MXFP4"):
        return ("Q4_K_M",)
    return {
        "IQ4": ("IQ4_XS", "Q4_K_M"),
        "Q3": ("Q3_K_M",),
        "Q2": ("IQ3_XXS",),
        "IQ3": ("IQ3_XXS",),
        "IQ2": ("IQ3_XXS",),
        "Q5": ("Q5_K_M",),
        "Q6": ("Q6_K",),
        "Q8": ("Q8_0",),
    }.get(stem, ())


if __name__ == "__main__":
    main()
