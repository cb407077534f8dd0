"""Small sweeps in a folder: two tiny models, cards they just fill, scenarios within a second."""

from pathlib import Path

FLEET = """
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: small}
serverImage: {image: ghcr.io/ggml-org/llama.cpp:server-cuda-b11434, build: b11434}
objective: price
workloads:
- name: chat
  model: catalogue:qwen3-0.6b
  quantizations: [Q8_0, Q4_K_M]
  context: 2Ki
  promptCache: 0
- name: embed
  model: catalogue:qwen3-embedding-0.6b
  quantizations: [Q8_0]
  embedding: true
  context: 2Ki
  promptCache: 0
"""
INVENTORY = """
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {{name: {name}}}
nodePools:
- name: {name}
  gpu: {{name: card, memory: {memory}, bandwidth: 300G, computeCapability: 8.9}}
  gpusPerNode: 1
  maxNodes: {nodes}
  hostMemory: 64Gi
  pricePerHour: {{onDemand: {price}, spot: {spot}, currency: USD}}
"""
GRID = """
apiVersion: gpu-packer/v1
kind: Sweep
metadata: {name: grid}
fleet: fleet.yaml
grid:
  inventories: [small.yaml, large.yaml]
  prices: [{name: listed}, {name: dear, factor: 1.2}]
  quantizationFloors: [any, Q8_0]
  demands: DEMANDS
"""


def write_sweep(folder: Path, demands: int = 3, text: str = GRID) -> Path:
    """A sweep of 8 × ``demands`` scenarios with its fleet and inventories; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fleet.yaml").write_text(FLEET)
    small = {"name": "small", "memory": "5Gi", "nodes": 3, "price": "0.40", "spot": "0.15"}
    large = {"name": "large", "memory": "10Gi", "nodes": 3, "price": "0.70", "spot": "0.25"}
    for values in (small, large):
        (folder / f"{values['name']}.yaml").write_text(INVENTORY.format(**values))
    path = folder / "sweep.yaml"
    path.write_text(text.replace("DEMANDS", str([*range(1, demands + 1)])))
    return path
