"""Images by digest: kept as they are everywhere, refused where wrong, asked for where missing."""

from dataclasses import replace

import pytest
import yaml

from packer import api
from packer.domain.image import is_image_reference
from packer.errors import InvalidInput
from packer.host_services.options import HostTarget
from packer.plan.plan import Plan
from packer.spec.fleet_file import read_fleet
from tests.rendered_plans import strings
from tests.sample_plans import tiny_plan
from tests.spec_lookups import LOOKUPS

DIGEST = "sha256:" + "0123456789abcdef" * 4
PINNED = f"ghcr.io/ggml-org/llama.cpp:server-cuda-b11434@{DIGEST}"
WRONG = (
    "llama.cpp@sha256:0123",
    f"llama.cpp@{DIGEST.upper()}",
    f"llama.cpp@{DIGEST}0",
    "llama.cpp@md5:0123456789abcdef0123456789abcdef",
    f"llama.cpp@{DIGEST}@{DIGEST}",
    f"llama.cpp@{DIGEST}\n",
)


def with_image(image: str) -> Plan:
    return replace(tiny_plan(), server=replace(tiny_plan().server, image=image))


def images(text: str) -> set[str]:
    return {one for one in strings(yaml.safe_load(text)) if "llama.cpp" in one and "@" in one}


def test_a_digest_is_kept_in_manifests_and_compose_files() -> None:
    plan = with_image(PINNED)
    (deployment,) = (text for path, text in api.manifests(plan).items() if "deployment" in path)
    assert images(deployment) == {PINNED}
    compose = api.host_services(plan, HostTarget.COMPOSE)
    assert {PINNED} in [images(text) for path, text in compose.items() if path.endswith("yaml")]


def test_an_image_without_a_digest_is_told() -> None:
    said = "not named by a digest"
    assert said in api.guarantees(tiny_plan())[-1]
    assert said in api.host_guarantees(tiny_plan(), HostTarget.COMPOSE)[-1]
    assert not [line for line in api.guarantees(with_image(PINNED)) if said in line]
    # systemd and llama-swap run a program, no image.
    assert not [one for one in api.host_guarantees(tiny_plan(), HostTarget.SYSTEMD) if said in one]


@pytest.mark.parametrize("image", WRONG)
def test_a_wrong_digest_is_refused(image: str) -> None:
    assert not is_image_reference(image)
    for write in (api.manifests, lambda plan: api.host_services(plan, HostTarget.COMPOSE)):
        with pytest.raises(InvalidInput):
            write(with_image(image))


@pytest.mark.parametrize("image", [PINNED, WRONG[0]])
def test_the_fleet_file_takes_digests_that_are_whole(image: str) -> None:
    text = (
        "apiVersion: gpu-packer/v1\nkind: Fleet\nmetadata: {name: f}\n"
        f"serverImage: {{image: '{image}', build: b11434}}\n"
        "workloads: [{name: chat, model: llama-3.1-8b, quantizations: [Q4_K_M], context: 4Ki}]\n"
    )
    if image == PINNED:
        assert read_fleet(text, "fleet.yaml", LOOKUPS).server_image.image == PINNED
    else:
        with pytest.raises(InvalidInput, match="image"):
            read_fleet(text, "fleet.yaml", LOOKUPS)
