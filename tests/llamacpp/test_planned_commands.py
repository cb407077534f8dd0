"""Every command line the examples render is one the real llama.cpp accepts and serves with."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from packer import api
from tests.llamacpp.oracle import Oracle, serve_and_complete
from tests.planned import EXAMPLES, plan

_MODEL_FLAGS = ("--model", "--spec-draft-model", "--mmproj")


def rendered_commands(example: str) -> list[list[str]]:
    """Words of every container, as a kubelet would pass them on."""
    found = []
    for path, text in sorted(api.manifests(plan(example)).items()):
        if "deployment" in path:
            pod: dict[str, Any] = yaml.safe_load(text)["spec"]["template"]["spec"]
            for container in pod["containers"]:
                words = [*container["command"], *container["args"]]
                found.append([word.replace("$$", "$") for word in words])
    return found


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_rendered_server_starts_and_answers(
    example: str, oracle: Oracle, tiny_llama: Path
) -> None:
    commands = rendered_commands(example)
    assert len(commands) == len(plan(example).placements)
    for argv in commands:
        paths = [value for flag, value in pairwise(argv) if flag in _MODEL_FLAGS]
        served = serve_and_complete(argv, dict.fromkeys(paths, tiny_llama), oracle)
        assert served.is_accepted, (argv, served.log)
        assert served.replies["/health"][0] == 200
        assert all(status == 200 for status, _ in served.replies.values()), served.replies
        # On this machine without a card only the paths, the address and the cards may differ.
        kept = ("--model", "--spec-draft-model", "--host", "--port", "--device")
        assert all(change.startswith(kept) for change in served.changed), served.changed


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_real_parser_reads_the_planned_sizes(example: str, oracle: Oracle) -> None:
    for placement in plan(example).placements:
        parsed = oracle.parse(placement.argv)
        assert parsed.is_accepted, parsed.log
        variant = placement.variant
        assert parsed.fields["slots"] == variant.slots
        assert parsed.fields["context_size"] >= variant.slots * variant.context_per_slot
        assert parsed.fields["gpu_layers"] == variant.layer_count
