"""Makes packer/catalogue/data from the project's shared figures; run by maintainers only.

    python benchmarks/make_catalogue_data.py ../shared

Reads data/catalogue/gpus.csv, data/catalogue/prices.csv, data/models/models.json and
data/models/headers.tar.gz of the folder named, and prints what it left out.
"""

import csv
import gzip
import io
import itertools
import json
import re
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packer.catalogue.gpus import gpus_matching
from packer.domain.model import ModelFile
from packer.gguf.header import read_model_file

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "packer" / "catalogue" / "data"

# Names in use that neither the name nor the label of the compiled table spells.
ALIASES = {
    "B200": "B200 SXM6;B200 SXM;HGX B200;DGX B200",
    "B300": "B300 SXM6;B300 SXM;HGX B300;DGX B300",
    "GB200": "GB200 NVL72",
    "H200 SXM": "H200 SXM5;HGX H200;DGX H200",
    "H100 SXM": "H100 SXM5;HGX H100;DGX H100",
    "GH200 96GB": "GH200 Grace Hopper",
    # The HGX form is what clouds sell under this name, and it has the smaller memory of the two.
    "A100 SXM 80GB": "A100-80;A100-80GB;HGX A100 80GB",
    "A100 SXM 40GB": "A100-40;A100-40GB;HGX A100 40GB",
    "RTX PRO 6000 Blackwell Workstation": "RTX PRO 6000 WE",
    "RTX PRO 6000 Blackwell Server": "RTX PRO 6000 SE",
    "GB10": "DGX Spark",
    "Radeon 8060S": "Strix Halo;Ryzen AI Max+ 395",
}
GPU_COLUMNS = (
    "name",
    "vendor",
    "generation",
    "label",
    "aliases",
    "nominal_mib",
    "llamacpp_mib",
    "seen_in_a_log",
    "unified",
    "bandwidth_gb_s",
    "compute_capability",
    "memory_source",
    "bandwidth_source",
)


def leading_number(text: str) -> int:
    """First whole number of a cell such as ``256 (seed text says 272)``."""
    match = re.match(r"~?(\d+)", text)
    if match is None:
        raise ValueError(f"no number in {text!r}")
    return int(match[1])


def plain_source(text: str) -> str:
    """A source as the package names it."""
    return (
        text.replace(" in real_logs.jsonl", " in a public thread")
        .replace("XiongjieDai notebooks", "XiongjieDai/GPU-Benchmarks-on-LLM-Inference")
        .replace("vendor datasheet figure, from memory - verify", "vendor datasheet, not looked up")
        .replace(".999999999999", "")
    )


def aliases(name: str, nominal_gb: int) -> list[str]:
    """Further names of a product: those of the table above, and the name with its memory."""
    sized = [] if "GB" in name.split()[-1] else [f"{name} {nominal_gb}GB"]
    return [*filter(None, ALIASES.get(name, "").split(";")), *sized]


def gpu_row(row: dict[str, str]) -> dict[str, str | int]:
    """One product of the compiled table in the package's columns."""
    name = re.sub(r" \(.*\)", "", row["name"])
    is_unified = "unified" in row["nominal_gb"]
    # A card whose total nvidia-smi does not report: what is soldered on the board.
    nominal = row["nvidia_smi_total_mib"]
    nominal_mib = int(nominal) if nominal.isdigit() else leading_number(row["nominal_gb"]) * 1024
    seen = row["llamacpp_total_mib_linux"]
    # An approximate figure loses 1 %: better too small than too large.
    seen_mib: int | str = leading_number(seen) * 99 // 100 if seen.startswith("~") else seen
    is_logged = "llama.cpp log" in row["mem_total_source"] and seen.isdigit()
    return {
        "name": name,
        "vendor": row["vendor"],
        "generation": row["arch"],
        "label": row["label_aliases"].replace("_", "-"),
        "aliases": ";".join(aliases(name, leading_number(row["nominal_gb"]))),
        "nominal_mib": nominal_mib,
        "llamacpp_mib": seen_mib,
        "seen_in_a_log": "yes" if is_logged else "no",
        "unified": "yes" if is_unified else "no",
        "bandwidth_gb_s": leading_number(row["bandwidth_gb_s"]),
        "compute_capability": row["compute_capability"] if row["vendor"] == "NVIDIA" else "",
        "memory_source": plain_source(row["mem_total_source"]),
        "bandwidth_source": plain_source(row["spec_source"]),
    }


def make_gpus(shared: Path) -> None:
    """Writes gpus.csv."""
    with (shared / "data/catalogue/gpus.csv").open(newline="") as file:
        rows = [gpu_row(row) for row in csv.DictReader(file)]
    unknown = set(ALIASES) - {str(row["name"]) for row in rows}
    if unknown:
        raise SystemExit(f"aliases for products that are not there: {sorted(unknown)}")
    with (DATA / "gpus.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, GPU_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"gpus.csv: {len(rows)} products")


# Bands of published sizes, see docs/catalogue.md: a file of this name and ours.
SMALLEST_BAND = (0.99, 1.01)
BAND_OF_ONE_TYPE = (0.99, 1.02)
BAND_OF_MIXES = (0.92, 1.08)
# Publishers whose files stay this near ours use llama-quantize's own mixes.
PLAIN = 0.02
ONE_TYPE_NAMES = ("F16", "Q8_0", "MXFP4")
# Files carry a tokenizer that ours leave out; the largest in use takes less than this.
LARGEST_TOKENIZER = 16 * 10**6


def tokenizer_bytes(models: list[dict[str, Any]]) -> dict[int, int]:
    """Bytes of the tokenizer by vocabulary size: the least any published file exceeds ours by."""
    least: dict[int, int] = {}
    for model in models:
        vocabulary = vocabulary_of(model)
        for quantization in model["quants"].values():
            for published in quantization["published"]:
                excess = published["bytes"] - quantization["file_bytes"]
                if published["kind"] == "file" and 0 <= excess <= LARGEST_TOKENIZER:
                    least[vocabulary] = min(excess, least.get(vocabulary, excess))
    return least


def vocabulary_of(model: dict[str, Any]) -> int:
    """Tokens in the model's vocabulary."""
    return int(model["metadata"][f"{model['architecture']}.vocab_size"])


def published_ratios(quantization: dict[str, Any], tokenizer: int) -> list[float]:
    """Weights of each published file of this name, ratio to ours."""
    ours = quantization["tensor_bytes"]
    return [
        (found["bytes"] - (tokenizer if found["kind"] == "file" else 0)) / ours
        for found in quantization["published"]
    ]


def is_plain(ratios: list[float]) -> bool:
    """Whether all publishers of an architecture use llama-quantize's own mixes.

    A file that is off by more than the widest band has other tensors, not another mix: some
    publishers give small models a separate output matrix.
    """
    mixes = [ratio for ratio in ratios if BAND_OF_MIXES[0] <= ratio <= BAND_OF_MIXES[1]]
    return bool(mixes) and all(abs(ratio - 1) <= PLAIN for ratio in mixes)


def size_band(name: str, published: list[float], plain: bool) -> tuple[float, float]:
    """Band of published sizes of one quantization, by the rule of docs/catalogue.md."""
    default = BAND_OF_ONE_TYPE if name in ONE_TYPE_NAMES else BAND_OF_MIXES
    low, high = SMALLEST_BAND if plain else default
    return min([low, *published]), max([high, *published])


def ratios_of(
    models: list[dict[str, Any]], tokenizers: dict[int, int]
) -> dict[tuple[str, str], list[float]]:
    """Ratios of all published files by model id and quantization."""
    return {
        (model["id"], name): published_ratios(quantization, tokenizers.get(vocabulary_of(model), 0))
        for model in models
        for name, quantization in model["quants"].items()
    }


def plain_architectures(
    models: list[dict[str, Any]], ratios: dict[tuple[str, str], list[float]]
) -> set[str]:
    """Architectures whose published files all use llama-quantize's own mixes."""
    by_architecture: dict[str, list[float]] = {}
    for model in models:
        for name in model["quants"]:
            found = by_architecture.setdefault(model["architecture"], [])
            found += ratios[model["id"], name]
    return {architecture for architecture, found in by_architecture.items() if is_plain(found)}


def runs(kinds: list[str]) -> str:
    """Element types as runs: ``f32 q4_K*3``."""
    groups = ((kind, len(list(group))) for kind, group in itertools.groupby(kinds))
    return " ".join(kind if count == 1 else f"{kind}*{count}" for kind, count in groups)


def profile_of(headers: dict[str, ModelFile]) -> dict[str, Any]:
    """What load_model_file() needs: shared metadata and shapes once, types by quantization."""
    first, *others = headers.values()
    shapes = [(tensor.name, *tensor.shape) for tensor in first.tensors]
    common = dict(first.metadata.items())
    for other in others:
        if [(tensor.name, *tensor.shape) for tensor in other.tensors] != shapes:
            raise SystemExit(f"{other.name}: shapes differ between quantizations")
        common = {key: value for key, value in common.items() if other.metadata.get(key) == value}
    return {
        "metadata": common,
        "tensors": shapes,
        "quantizations": {
            name: {
                "data_offset": header.data_offset,
                "metadata": {k: v for k, v in header.metadata.items() if k not in common},
                "types": runs([tensor.type.name for tensor in header.tensors]),
            }
            for name, header in headers.items()
        },
    }


def plain_text(text: str) -> str:
    """Notes and sources without references to files the package does not have."""
    text = re.sub(r"public source \(index \d+\)", "a public table", text)
    return text.replace(", see size_check.csv", "")


def index_entry(
    model: dict[str, Any], ratios: dict[tuple[str, str], list[float]], plain: set[str]
) -> dict[str, Any]:
    """What catalogue_models() lists of one model."""
    quants, is_plain_one = model["quants"], model["architecture"] in plain
    bands = {name: size_band(name, ratios[model["id"], name], is_plain_one) for name in quants}
    names = sorted(quants, key=lambda name: -quants[name]["file_bytes"])
    return {
        "id": model["id"],
        "aliases": [alias for alias in model["aliases"] if alias != model["id"]],
        "family": model["family"],
        "architecture": model["architecture"],
        "params_total": model["params_total"],
        "params_active": model["params_active"],
        "context_length": model["context_length"],
        "license": model["license"],
        "is_embedding": model["embedding"],
        "has_mtp": model["mtp"],
        "status": model["status"],
        "source": plain_text(model["hyperparameter_source"]),
        "note": plain_text(model["note"]),
        "quantizations": {
            name: [
                quants[name]["file_bytes"],
                *(round(bound, 4) for bound in bands[name]),
            ]
            for name in names
        },
    }


def read_headers(archive: Path, models: list[dict[str, Any]]) -> Iterator[dict[str, ModelFile]]:
    """Headers of each model by quantization, in the order of the models."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        for model in models:
            yield {
                name: read_model_file(
                    Path(folder) / "headers" / f"{model['id']}-{name}.gguf", header_only=True
                )
                for name in model["quants"]
            }


def make_models(shared: Path) -> None:
    """Writes models.zip: index.json and one profile per model."""
    models = json.loads((shared / "data/models/models.json").read_text("utf-8"))["models"]
    ratios = ratios_of(models, tokenizer_bytes(models))
    plain = plain_architectures(models, ratios)
    print(f"plain architectures: {', '.join(sorted(plain))}")
    members: dict[str, Any] = {
        "index.json": [index_entry(model, ratios, plain) for model in models]
    }
    headers = read_headers(shared / "data/models/headers.tar.gz", models)
    members |= {
        f"{model['id']}.json": profile_of(found)
        for model, found in zip(models, headers, strict=True)
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            # A fixed time: the same figures make the same bytes.
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, json.dumps(content, separators=(",", ":")), compresslevel=9)
    (DATA / "models.zip").write_bytes(packed.getvalue())
    print(f"models.zip: {len(models)} models, {len(packed.getvalue())} bytes")


PRICE_KINDS = ("ondemand", "spot", "reserved_1y", "reserved_3y")


def seen_on(text: str) -> str:
    """Day a price was seen, as an ISO date; empty where the source names only years."""
    match = re.fullmatch(r"(\d{4}-\d{2})(-\d{2})?", text)
    return f"{match[1]}{match[2] or '-01'}" if match else ""


def price_row(row: dict[str, str], products: list[str]) -> dict[str, Any]:
    """One compiled price in the package's columns."""
    amounts = {kind: row[f"price_hour_{kind}"] for kind in PRICE_KINDS}
    as_of = seen_on(row["as_of"])
    return {
        **{key: row[key] for key in ("provider", "region", "instance_type", "gpu")},
        "products": products,
        "gpu_count": int(row["gpu_count"]),
        "vcpus": leading_number(row["vcpus"]) if row["vcpus"] else None,
        "memory_gib": leading_number(row["ram_gib"]) if row["ram_gib"] else None,
        "on_demand_per_hour": amounts["ondemand"],
        "spot_per_hour": amounts["spot"],
        "reserved_1y_per_hour": amounts["reserved_1y"],
        "reserved_3y_per_hour": amounts["reserved_3y"],
        "reserved_note": row["reserved_note"],
        "currency": row["currency"],
        "as_of": as_of,
        "as_of_note": row["as_of"] if as_of != row["as_of"] else "",
        "source": row["source"],
    }


def why_left_out(row: dict[str, str], products: list[str]) -> str:
    """Reason a compiled price is not shipped; empty if it is."""
    if not products:
        return row["gpu"]
    if not row["gpu_count"].isdigit():
        return "a part of a card"
    return "" if any(row[f"price_hour_{kind}"] for kind in PRICE_KINDS) else "no price"


def make_prices(shared: Path) -> None:
    """Writes prices.json.gz: columns, rows, and what was left out by reason."""
    kept: dict[str, dict[str, Any]] = {}
    left_out: dict[str, int] = {}
    with (shared / "data/catalogue/prices.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            products = [product.name for product in gpus_matching(row["gpu"])]
            reason = why_left_out(row, products)
            made = {} if reason else price_row(row, products)
            if json.dumps(made) in kept:
                reason = "the same row again"
            if reason:
                left_out[reason] = left_out.get(reason, 0) + 1
            else:
                kept[json.dumps(made)] = made
    rows = list(kept.values())
    document = {
        "columns": list(rows[0]),
        "left_out": left_out,
        "rows": [list(row.values()) for row in rows],
    }
    text = json.dumps(document, separators=(",", ":"))
    (DATA / "prices.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"prices.json.gz: {len(rows)} rows, {sum(left_out.values())} left out: {left_out}")


def main() -> None:
    """Make every data file."""
    shared = Path(sys.argv[1])
    make_gpus(shared)
    make_models(shared)
    make_prices(shared)


if __name__ == "__main__":
    main()
