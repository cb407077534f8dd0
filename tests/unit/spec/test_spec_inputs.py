"""Fleet and inventory together: all problems of both, one file for both, cards by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from packer.errors import InvalidInput
from packer.spec.inputs import Source, read_inputs
from tests.spec_lookups import LOOKUPS
from tests.untraced import run_untraced

FLEET = Path("tests/data/spec/fleet.yaml").read_text()
INVENTORY = Path("tests/data/spec/inventory.yaml").read_text()
PRICED = INVENTORY.replace("hostMemory: 64Gi", "hostMemory: 64Gi\n  pricePerHour: 1.5")


def codes(fleet: str, inventory: str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        read_inputs(Source(fleet, "f.yaml"), Source(inventory, "i.yaml"), LOOKUPS)
    return [(one.code, one.where.file if one.where else "") for one in caught.value.problems]


def test_both_files() -> None:
    fleet, inventory = read_inputs(Source(FLEET, "f"), Source(PRICED, "i"), LOOKUPS)
    assert (fleet.name, inventory.name) == ("company", "eu-cluster")


def test_one_file_may_hold_both() -> None:
    both = Source(f"{FLEET}\n---\n{PRICED}", "both.yaml")
    fleet, inventory = read_inputs(both, both, LOOKUPS)
    assert (fleet.name, inventory.name) == ("company", "eu-cluster")


def test_problems_of_both_files_come_together() -> None:
    fleet, inventory = FLEET.replace("16Ki", "24GB"), PRICED.replace("256Gi", "256GB")
    assert codes(fleet, inventory) == [("P0103", "f.yaml"), ("P0103", "i.yaml")]
    assert codes(FLEET, inventory) == [("P0103", "i.yaml")]
    assert codes(fleet, PRICED) == [("P0103", "f.yaml")]


def test_the_objective_price_needs_every_price() -> None:
    assert codes(FLEET, INVENTORY) == [("P0211", "i.yaml")]
    cards = FLEET.replace("objective: price", "objective: cards")
    read_inputs(Source(cards, "f"), Source(INVENTORY, "i"), LOOKUPS)


@pytest.mark.parametrize("name", ["X9 Pro (48GB)", "x9-pro-(48gb)", "NVIDIA X9 Pro (48GB)"])
def test_a_fleet_may_name_cards_that_the_inventory_describes(name: str) -> None:
    fleet = FLEET.replace("[H100, NVIDIA-L40S]", f"[{name}]")
    asked, _ = read_inputs(Source(fleet, "f"), Source(PRICED, "i"), LOOKUPS)
    assert asked.workloads[1].allowed_gpus == ("X9 Pro (48GB)",)
    assert codes(FLEET.replace("NVIDIA-L40S", "X10"), PRICED) == [("P0901", "f.yaml")]


def test_a_thousand_workloads_are_read_in_well_under_a_second(tmp_path: Path) -> None:
    item = """\
- name: w{n}
  model: catalogue:llama-3.1-8b
  file: pvc://models/llama-{{quantization}}.gguf
  quantizations: [Q5_K_M, Q4_K_M]
  context: 16Ki
  slots: 8
  replicas: 2
  gpus: {{refuse: [H100]}}
"""
    items = "".join(item.format(n=n) for n in range(1000))
    text = FLEET.partition("- name")[0] + items
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    program = f"""
import time
from pathlib import Path
from packer.spec.fleet_file import read_fleet
from tests.spec_lookups import LOOKUPS
text = Path({str(file)!r}).read_text()
start = time.process_time()
assert len(read_fleet(text, "f", LOOKUPS).workloads) == 1000
print(time.process_time() - start)
"""
    # 0.25 s on a quiet machine with two cores; not traced, as tracing costs a multiple.
    assert float(run_untraced(program)) < 1


def test_reading_files_loads_no_heavy_library() -> None:
    modules = "packer.spec.inputs, packer.spec.plan_file, packer.spec.json_schema"
    heavy = "{'ortools', 'kubernetes', 'networkx', 'numpy', 'pandas', 'jinja2', 'rich'}"
    program = f"import sys, {modules}\nfound = {heavy} & set(sys.modules)\nassert not found, found"
    subprocess.run([sys.executable, "-c", program], check=True)
