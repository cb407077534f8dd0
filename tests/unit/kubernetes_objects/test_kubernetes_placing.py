"""Where pods may land: simulated on made-up nodes by what the rendered terms say."""

from dataclasses import replace

from packer.domain.node import Sharing
from packer.domain.workload import Spread
from packer.plan.plan import Plan
from tests.rendered_plans import SAMPLE_OPTIONS, Document, documents, live, of_kind, pod_spec
from tests.sample_plans import company_plan, tiny_plan

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _matches(selector: Document, labels: Document) -> bool:
    def holds(expression: Document) -> bool:
        key, operator = expression["key"], expression["operator"]
        if operator == "Exists":
            return key in labels
        assert operator == "NotIn"
        return labels.get(key) not in expression["values"]

    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        map(holds, selector.get("matchExpressions", ()))
    )


def _may_meet(first: Document, second: Document) -> bool:
    """Whether two pods may share a node, by the anti-affinity of both."""
    for pod, other in ((first, second), (second, first)):
        affinity = pod["spec"]["affinity"].get("podAntiAffinity", {REQUIRED: []})
        for term in affinity[REQUIRED]:
            if _matches(term["labelSelector"], other["metadata"]["labels"]):
                return False
    return True


def _templates(plan: Plan, sharing: Sharing | None = None) -> dict[str, Document]:
    found = documents(plan, replace(SAMPLE_OPTIONS, sharing=sharing))
    return {n: d["spec"]["template"] for n, d in of_kind(found, "Deployment").items()}


def test_pods_meet_exactly_where_the_plan_puts_them_together() -> None:
    plan = company_plan()
    node_of = {f"{p.workload}-{p.replica}": p.node for p in plan.placements}
    node_of |= {"router-rtx-0-gpu0": "rtx-0", "router-rtx-0-gpu1": "rtx-0"}
    templates = _templates(plan)
    for name, template in templates.items():
        for other, candidate in templates.items():
            if name != other:
                assert _may_meet(template, candidate) == (node_of[name] == node_of[other])


def test_pods_of_one_node_on_several_claims_seek_each_other() -> None:
    templates = _templates(company_plan())
    affinity = templates["code-0"]["spec"]["affinity"]["podAffinity"][REQUIRED]
    assert affinity == [
        {
            "labelSelector": {
                "matchLabels": {
                    "app.kubernetes.io/part-of": "company",
                    "gpu-packer/node": "l40s-0",
                }
            },
            "topologyKey": "kubernetes.io/hostname",
        }
    ]
    # A first pod may land because it matches its own term.
    assert _matches(affinity[0]["labelSelector"], templates["code-0"]["metadata"]["labels"])
    # One claim keeps its pods together by itself.
    assert "podAffinity" not in templates["moe-0"]["spec"]["affinity"]


def test_a_plan_of_one_node_needs_no_affinity() -> None:
    pod = pod_spec(of_kind(documents(tiny_plan()), "Deployment")["chat-0"])
    assert "affinity" not in pod
    assert "nodeSelector" not in pod


def test_claims_choose_the_product_and_whole_cards_need_the_label() -> None:
    by_claim = _templates(company_plan())["code-0"]["spec"]["nodeSelector"]
    assert by_claim == {"topology.kubernetes.io/zone": "eu-a"}
    whole = _templates(company_plan())["router-rtx-0-gpu0"]["spec"]["nodeSelector"]
    assert whole == {
        "nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-4090",
        "topology.kubernetes.io/zone": "eu-a",
    }


def test_labels_of_a_pool_can_be_given() -> None:
    options = replace(SAMPLE_OPTIONS, pool_selectors={"l40s": {"example.com/pool": "big"}})
    deployments = of_kind(documents(company_plan(), options), "Deployment")
    assert pod_spec(deployments["code-0"])["nodeSelector"]["example.com/pool"] == "big"
    assert "example.com/pool" not in pod_spec(deployments["moe-0"])["nodeSelector"]


def test_live_nodes_are_named() -> None:
    for sharing in (None, Sharing.WHOLE):
        for template in _templates(live(company_plan()), sharing).values():
            (term,) = template["spec"]["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
            assert term == {
                "matchFields": [
                    {
                        "key": "metadata.name",
                        "operator": "In",
                        "values": [template["metadata"]["labels"]["gpu-packer/node"]],
                    }
                ]
            }
            assert set(template["spec"]["affinity"]) == {"nodeAffinity"}
            assert "nodeSelector" not in template["spec"]


def test_replicas_spread_over_zones_keep_out_of_each_others() -> None:
    plan = company_plan()
    chat = replace(plan.workloads[0], spread=Spread.ZONE)
    plan = replace(plan, workloads=(chat, *plan.workloads[1:]))
    pod = _templates(plan)["chat-0"]["spec"]
    terms = pod["affinity"]["podAntiAffinity"][REQUIRED]
    assert [term["topologyKey"] for term in terms] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert terms[1]["labelSelector"]["matchLabels"]["workload.gpu-packer/chat"] == "true"


def test_gpu_nodes_are_tolerated() -> None:
    for template in _templates(company_plan()).values():
        assert template["spec"]["tolerations"] == [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
        ]


def test_a_long_node_name_is_cut_to_a_label() -> None:
    plan = company_plan()
    name = "node-" + "x" * 100
    nodes = tuple(replace(n, name=name) if n.name == "l40s-0" else n for n in plan.nodes)
    placements = tuple(replace(p, node=name) if p.node == "l40s-0" else p for p in plan.placements)
    template = _templates(replace(plan, nodes=nodes, placements=placements))["code-0"]
    label = template["metadata"]["labels"]["gpu-packer/node"]
    assert len(label) <= 63
    (term,) = template["spec"]["affinity"]["podAffinity"][REQUIRED]
    assert term["labelSelector"]["matchLabels"]["gpu-packer/node"] == label
