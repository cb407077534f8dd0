"""Plans whose servers run on this machine's CPU, where no card is: everything else as planned."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from packer import api
from packer.domain.basis import Basis
from packer.plan.plan import DeviceBytes, HostBytes, Placement, Plan


def on_the_cpu(plan: Plan, models: Mapping[str, Path], port: int) -> Plan:
    """The plan with every layer on the host, sized anew by the memory model.

    Args:
        plan: Made for cards, of tiny models.
        models: Workload → its model file on this machine; pods find it elsewhere.
        port: Where the servers listen.
    """
    placements = tuple(_moved(one, models[one.workload], port) for one in plan.placements)
    return replace(plan, placements=placements)


def _moved(one: Placement, model: Path, port: int) -> Placement:
    words = list(one.argv)
    for flag, value in (("--gpu-layers", "0"), ("--port", str(port))):
        words[words.index(flag) + 1] = value
    # Repacked weights are laid out for the processor they run on, which no plan knows.
    words[words.index("--repack")] = "--no-repack"
    # Without a card nothing is lent to one, and a prediction must not count on it.
    words[words.index("--op-offload")] = "--no-op-offload"
    words += ["--device", "none"]
    here = [str(model) if before == "--model" else word for before, word in pairwise(("", *words))]
    host = api.estimate_process(here, ()).host
    return replace(
        one,
        argv=tuple(words),
        variant=replace(one.variant, layers_per_gpu=(0,) * len(one.gpus)),
        devices=tuple(map(_emptied, one.devices)),
        host=HostBytes(
            weights_bytes=host.weights_bytes,
            context_bytes=host.context_bytes,
            compute_bytes=host.compute_bytes,
            output_bytes=host.output_bytes,
            prompt_cache_bytes=host.prompt_cache_bytes,
            checkpoint_bytes=host.checkpoint_bytes,
            draft_bytes=0,
            process_bytes=host.process_bytes,
            total_bytes=host.total_bytes,
        ),
    )


def _emptied(device: DeviceBytes) -> DeviceBytes:
    return replace(
        device,
        weights_bytes=0,
        context_bytes=0,
        compute_bytes=0,
        process_bytes=0,
        total_bytes=0,
        low_bytes=0,
        high_bytes=0,
        # The header on this machine was read.
        basis=dict.fromkeys(device.basis, Basis.EXACT),
    )
