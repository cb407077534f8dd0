"""The front door, policies and monitoring: what is let through, and what is only said."""

from dataclasses import replace

import pytest
import yaml

from packer.domain.rendering import Gateway
from packer.errors import InvalidInput
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.render import render
from packer.kubernetes_objects.routes import routes
from packer.plan.plan import Plan
from tests.rendered_plans import SAMPLE_OPTIONS, Document, documents, live, of_kind, strings
from tests.sample_plans import banded_plan, company_plan, tiny_plan

LITELLM = replace(SAMPLE_OPTIONS, gateway=Gateway.LITELLM)
ROUTES = replace(SAMPLE_OPTIONS, gateway=Gateway.HTTPROUTE, gateway_parent="ingress/llm")


def _litellm(plan: Plan, options: RenderOptions = LITELLM) -> Document:
    found = of_kind(documents(plan, options), "ConfigMap")[f"gateway-{plan.name}"]
    configuration: Document = yaml.safe_load(found["data"]["config.yaml"])
    return configuration


def test_one_name_for_every_workload_and_one_for_all_bands() -> None:
    found = {route.model: [one.name for one in route.backends] for route in routes(banded_plan())}
    names = [w.name for w in company_plan().workloads if w.name not in ("small", "vision")]
    assert found == {
        **{name: [name] for name in (*names, "vision", "small")},
        "assist": ["small", "vision"],
    }


def test_litellm_knows_every_model_by_its_service() -> None:
    plan = company_plan()
    models = _litellm(plan)["model_list"]
    services = of_kind(documents(plan, LITELLM), "Service")
    assert {one["model_name"] for one in models} == {w.name for w in plan.workloads}
    for one in models:
        host = one["litellm_params"]["api_base"].removeprefix("http://").partition(":")[0]
        assert host == one["model_name"]
        assert host in services
        assert one["litellm_params"]["api_key"] == "os.environ/LLAMA_API_KEY"
    bare = _litellm(plan, replace(LITELLM, api_key_secret=""))
    assert {one["litellm_params"]["api_key"] for one in bare["model_list"]} == {"none"}


def test_litellm_prefers_the_shortest_band_a_prompt_fits() -> None:
    configuration = _litellm(banded_plan())
    bands = [one for one in configuration["model_list"] if one["model_name"] == "assist"]
    assert [
        (
            one["litellm_params"]["model"],
            one["litellm_params"]["order"],
            one["model_info"]["max_input_tokens"],
        )
        for one in bands
    ] == [("openai/small", 1, 3000), ("openai/vision", 2, 15000)]
    assert configuration["router_settings"]["enable_pre_call_checks"] is True
    names = [one["model_name"] for one in configuration["model_list"]]
    assert sorted(names) == sorted([*(w.name for w in banded_plan().workloads), "assist", "assist"])
    modes = {one["model_name"]: one["model_info"]["mode"] for one in configuration["model_list"]}
    assert modes["embed"] == "embedding"
    assert modes["code"] == "rerank"
    assert modes["chat"] == "chat"


def test_the_gateway_is_hardened_and_restarts_when_its_models_change() -> None:
    def pod(plan: Plan) -> Document:
        deployment = of_kind(documents(plan, LITELLM), "Deployment")[f"gateway-{plan.name}"]
        template: Document = deployment["spec"]["template"]
        return template

    first, second = pod(company_plan()), pod(banded_plan())
    assert first["spec"]["securityContext"]["runAsNonRoot"] is True
    (container,) = first["spec"]["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert first["spec"]["automountServiceAccountToken"] is False
    keys = [
        one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one
    ]
    assert keys == ["litellm-master-key", "llama-api-key"]
    assert first["metadata"]["annotations"] != second["metadata"]["annotations"]


def test_a_route_goes_by_header_or_by_path() -> None:
    found = of_kind(documents(banded_plan(), ROUTES), "HTTPRoute")
    assert set(found) == {route.model for route in routes(banded_plan())}
    chat = found["chat"]["spec"]
    assert chat["parentRefs"] == [{"name": "llm", "namespace": "ingress"}]
    by_header, by_path = chat["rules"]
    assert by_header["matches"] == [
        {"headers": [{"name": "X-Gateway-Model-Name", "type": "Exact", "value": "chat"}]}
    ]
    assert by_path["matches"] == [{"path": {"type": "PathPrefix", "value": "/model/chat"}}]
    # No Gateway sees the length of a prompt: the shared name goes to the band that takes all.
    assert found["assist"]["spec"]["rules"][0]["backendRefs"] == [{"name": "vision", "port": 8080}]


def test_the_notes_say_who_decides_about_length() -> None:
    by_litellm = render(banded_plan(), LITELLM)["NOTES.md"]
    assert "`http://gateway-company.llm:4000/v1` answers for every model" in by_litellm
    assert "LiteLLM counts tokens with its own tokenizer" in by_litellm
    by_route = render(banded_plan(), ROUTES)["NOTES.md"]
    assert "nothing here sees how long a prompt is; `assist` goes to the longest" in by_route
    assert "X-Gateway-Model-Name" in by_route
    assert "Where clients send requests" not in render(company_plan(), SAMPLE_OPTIONS)["NOTES.md"]


def _policies(options: RenderOptions) -> dict[str, Document]:
    return of_kind(documents(company_plan(), options), "NetworkPolicy")


def _selects(policy: Document, labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = policy["spec"]["podSelector"]["matchLabels"]
    return wanted.items() <= labels.items()


def _may_reach(options: RenderOptions, source: dict[str, str], target: dict[str, str]) -> bool:
    """Whether policies let one pod of the namespace call another on its port."""
    policies = _policies(options).values()
    peers = [
        peer["podSelector"].get("matchLabels", {})
        for policy in policies
        if _selects(policy, target)
        for rule in policy["spec"].get("ingress", ())
        for peer in rule["from"]
        if "podSelector" in peer
    ]
    reached = [
        peer["podSelector"]["matchLabels"]
        for policy in policies
        if _selects(policy, source)
        for rule in policy["spec"].get("egress", ())
        for peer in rule["to"]
        if "podSelector" in peer
    ]
    is_bound = any(
        _selects(policy, source) and "Egress" in policy["spec"]["policyTypes"]
        for policy in policies
    )
    lets_in = any(peer.items() <= source.items() for peer in peers)
    return lets_in and (not is_bound or any(peer.items() <= target.items() for peer in reached))


def _labels(name: str, options: RenderOptions) -> dict[str, str]:
    deployment = of_kind(documents(company_plan(), options), "Deployment")[name]
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


def test_only_the_gateway_reaches_model_servers() -> None:
    gateway, chat = _labels("gateway-company", LITELLM), _labels("chat-0", LITELLM)
    stranger = {"app": "notebook"}
    assert _may_reach(LITELLM, gateway, chat)
    assert not _may_reach(LITELLM, stranger, chat)
    assert not _may_reach(LITELLM, chat, gateway)
    assert not _may_reach(LITELLM, _labels("code-0", LITELLM), chat)


def test_without_a_gateway_the_namespace_reaches_model_servers() -> None:
    options = replace(SAMPLE_OPTIONS, network_policy=True)
    chat = _labels("chat-0", options)
    assert _may_reach(options, {"app": "notebook"}, chat)
    assert not _may_reach(options, _labels("code-0", options), chat)
    assert not _policies(SAMPLE_OPTIONS)


def test_the_namespaces_of_the_gateway_and_of_prometheus_are_let_in() -> None:
    options = replace(ROUTES, network_policy=True, monitoring=True)
    (rule,) = _policies(options)["company-model-servers"]["spec"]["ingress"]
    names = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in rule["from"]
    ]
    assert names == ["ingress", "monitoring"]


def test_metrics_of_every_workload_are_read_with_the_key() -> None:
    found = documents(company_plan(), replace(SAMPLE_OPTIONS, monitoring=True))
    monitors = of_kind(found, "PodMonitor")
    assert set(monitors) == {w.name for w in company_plan().workloads}
    (endpoint,) = monitors["embed"]["spec"]["podMetricsEndpoints"]
    # A router answers for one model at a time, and must not load what nobody asked for.
    assert endpoint["params"] == {"model": ["embed"], "autoload": ["false"]}
    assert endpoint["authorization"]["credentials"] == {"name": "llama-api-key", "key": "api-key"}
    bare = replace(SAMPLE_OPTIONS, monitoring=True, api_key_secret="")
    (endpoint,) = of_kind(documents(tiny_plan(), bare), "PodMonitor")["chat"]["spec"][
        "podMetricsEndpoints"
    ]
    assert "authorization" not in endpoint


def _rules(plan: Plan) -> dict[str, list[str]]:
    found = documents(plan, replace(SAMPLE_OPTIONS, monitoring=True))
    (group,) = of_kind(found, "PrometheusRule")[plan.name]["spec"]["groups"]
    rules: dict[str, list[str]] = {}
    for rule in group["rules"]:
        rules.setdefault(rule["alert"], []).append(rule["expr"])
    return rules


def test_alerts_use_the_plans_own_figures() -> None:
    rules = _rules(live(company_plan()))
    assert (
        'max by (pod) (llamacpp:n_tokens_max{plan="company",workload="chat"}) > 15564'
        in rules["LlamaContextNearlyFull"]
    )
    assert any(
        "requests_deferred" in one and one.endswith("> 8") for one in rules["LlamaRequestsWaiting"]
    )
    assert "restarts_total" in rules["LlamaServerRestarts"][0]
    cards = rules["LlamaCardMemoryAbovePlan"]
    assert len(cards) == company_plan().cards
    used = live(company_plan()).nodes[0].cards[0]
    assert f'DCGM_FI_DEV_FB_USED{{UUID="{used.uuid}"}} > {-(-used.used_bytes // 2**20)}' in cards


def test_cards_that_nobody_can_name_are_not_watched() -> None:
    assert "LlamaCardMemoryAbovePlan" not in _rules(company_plan())


def test_no_workload_takes_the_gateways_name() -> None:
    plan = tiny_plan()
    workload = replace(plan.workloads[0], name="gateway-tiny")
    placed = replace(plan.placements[0], workload="gateway-tiny")
    plan = replace(plan, workloads=(workload,), placements=(placed,))
    with pytest.raises(InvalidInput, match="gateway's name"):
        render(plan, LITELLM)


@pytest.mark.parametrize("route", ["A b", "$(X)", "../x", "-x", "{{ a }}", "x\ny"])
def test_names_of_routes_are_refused_like_all_others(route: str) -> None:
    plan = banded_plan()
    band = plan.workloads[-1].band
    assert band is not None
    workload = replace(plan.workloads[-1], band=replace(band, route=route))
    plan = replace(plan, workloads=(*plan.workloads[:-1], workload))
    with pytest.raises(InvalidInput, match="P0710"):
        render(plan, LITELLM)


def test_nothing_secret_stands_in_any_file() -> None:
    for options in (LITELLM, ROUTES):
        for document in documents(banded_plan(), options).values():
            assert not any("sk-" in text for text in strings(document))
            assert document["kind"] != "Secret"
