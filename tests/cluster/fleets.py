"""Small fleets for tests of changes, written as users write them."""

from pathlib import Path

_HEAD = """\
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: small}
serverImage: {image: ghcr.io/ggml-org/llama.cpp:server-cuda-b11434, build: b11434}
defaults: {headroom: {bytes: 512Mi}}
workloads:
"""
_WORKLOAD = """\
- name: %(name)s
  model: catalogue:%(model)s
  file: pvc://models/%(model)s-{quantization}.gguf
  quantizations: [%(quantization)s]
  context: %(context)s
  slots: 2
  replicas: %(replicas)d
  minAvailable: %(least)d
"""


def workload(
    name: str,
    model: str,
    quantization: str = "Q8_0",
    *,
    context: str = "8Ki",
    replicas: int = 1,
    least: int = 0,
) -> str:
    """One workload's YAML."""
    return _WORKLOAD % {
        "name": name,
        "model": model,
        "quantization": quantization,
        "context": context,
        "replicas": replicas,
        "least": least,
    }


def fleet(folder: Path, *workloads: str) -> Path:
    """A fleet file of the given workloads."""
    path = folder / "fleet.yaml"
    path.write_text(_HEAD + "".join(workloads))
    return path
