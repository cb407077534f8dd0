"""Placements, budgets and notes of a plan: what stands in them besides the packing."""

from dataclasses import replace
from decimal import Decimal

from packer.domain.basis import Basis
from packer.domain.node import Price
from packer.domain.workload import Draft, Headroom, Variant
from packer.plan.building import path_in_pod, price_of
from packer.units import MIB
from tests.small_fleets import fleet, gpu, inventory, model, plan, pool, variant, workload


def test_a_mounted_file_is_read_where_it_is_mounted() -> None:
    assert path_in_pod(variant("bge-m3", "F16")) == "/models/pvc/models/bge-m3.gguf"


def test_without_a_mount_the_path_is_made_from_the_name() -> None:
    header = model("qwen3-0.6b", "Q8_0")
    assert path_in_pod(Variant("Q8_0", header)) == "/models/qwen3-0.6b-Q8_0.gguf"
    odd = replace(header, name="dir/Ünsafe name;x.gguf")
    assert path_in_pod(Variant("file", odd)) == "/models/-nsafe-name-x.gguf"


def test_a_split_model_says_its_layers_per_card() -> None:
    made = plan(fleet(workload("a", "qwen3-1.7b", "Q8_0")), inventory(pool("p", gpu(2600), 2)))
    (placement,) = made.placements
    assert placement.gpus == (0, 1)
    assert sum(placement.variant.layers_per_gpu) == placement.variant.layer_count == 29
    assert min(placement.variant.layers_per_gpu) > 0
    assert [card.used_bytes for card in made.nodes[0].cards] == [
        device.high_bytes for device in placement.devices
    ]


def test_a_draft_is_in_the_command_line_and_in_the_bytes() -> None:
    asked = workload("a", "qwen3-1.7b", "Q8_0", draft=Draft(variant("qwen3-0.6b", "Q8_0"), 5))
    (placement,) = plan(fleet(asked), inventory(pool("p", gpu(9000)))).placements
    assert placement.variant.draft_model == "catalogue:qwen3-0.6b:Q8_0"
    assert placement.variant.draft_mount == "pvc://models/qwen3-0.6b.gguf"
    assert "/models/pvc/models/qwen3-0.6b.gguf" in placement.argv
    assert placement.devices[0].draft_weights_bytes > 500 * MIB


def test_budgets_add_up() -> None:
    there = inventory(pool("p", gpu(9000), taken={"p-0": {0: 100 * MIB}}))
    made = plan(fleet(workload("a"), workload("b"), headroom=Headroom(200 * MIB, 0)), there)
    (card,) = made.nodes[0].cards
    assert card.headroom_bytes == 200 * MIB
    assert card.expected_bytes <= card.used_bytes
    left = 9000 * MIB - 300 * MIB - sum(p.devices[0].high_bytes for p in made.placements)
    assert card.slack_bytes == left
    assert made.nodes[0].host_used_bytes == sum(p.host.total_bytes for p in made.placements)


def test_the_price_of_used_nodes_alone_counts() -> None:
    price = Price(Decimal("1.5"))
    nodes = plan(fleet(workload("a")), inventory(pool("p", gpu(3000), 1, 3, price=price))).nodes
    assert [node.is_used for node in nodes].count(True) == 1
    assert price_of(nodes) == Decimal("1.5")
    unknown = tuple(replace(node, price_per_hour=None) for node in nodes)
    assert price_of(unknown) is None
    assert price_of(node for node in unknown if not node.is_used) == 0


def test_only_files_that_are_loaded_are_called_estimated() -> None:
    real = replace(model("qwen3-0.6b", "Q8_0"), basis=Basis.EXACT)
    exact = workload("a", variants=(Variant("Q8_0", real), variant("qwen3-0.6b", "Q4_K_M")))
    made = plan(fleet(exact, workload("b")), inventory(pool("p", gpu(9000))))
    (note,) = [one for one in made.notes if one.startswith("sizes from the catalogue")]
    assert note.endswith("the real file: b")
    drafted = replace(exact, draft=Draft(variant("smollm2-135m", "Q8_0")))
    made = plan(fleet(drafted), inventory(pool("p", gpu(9000))))
    assert any(one.endswith("the real file: a") for one in made.notes)
    made = plan(fleet(exact), inventory(pool("p", gpu(9000))))
    assert not any(one.startswith("sizes from the catalogue") for one in made.notes)


def test_replicas_that_must_stay_default_to_all_but_one() -> None:
    asked = fleet(
        workload("a", replicas=3), workload("b"), workload("c", replicas=2, min_available=2)
    )
    made = plan(asked, inventory(pool("p", gpu(24000))))
    assert [one.min_available for one in made.workloads] == [2, 0, 2]


def test_seed_and_limits_are_in_the_policy() -> None:
    asked = fleet(workload("a"), workload("b"), headroom=Headroom(7, 3), keep_apart=(("a", "b"),))
    made = plan(asked, inventory(pool("p", gpu(3000), 1, 2)), seed=42, gap=0.01)
    policy = made.policy
    assert (policy.seed, policy.gap_limit) == (42, "0.01")
    assert (policy.headroom_bytes, policy.headroom_percent) == (7, 3)
    assert policy.keep_apart == (("a", "b"),)
