"""Makes packer/catalogue/data from the project's shared figures; run by maintainers only.

    python benchmarks/make_catalogue_data.py ../shared

Reads data/catalogue/gpus.csv, data/catalogue/prices.csv, data/models/models.json and
data/models/headers.tar.gz of the folder named, and prints what it left out.
"""

import csv
import re
import sys
from pathlib import Path

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


def main() -> None:
    """Make every data file."""
    shared = Path(sys.argv[1])
    make_gpus(shared)


if __name__ == "__main__":
    main()
