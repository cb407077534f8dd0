from dataclasses import replace

import pytest

from packer.domain.model_mount import model_pod_path
from packer.domain.node import Sharing
from packer.kubernetes_objects.card_groups import card_groups
from packer.kubernetes_objects.options import PRESET_PATH, RenderOptions
from packer.kubernetes_objects.probes import startup_seconds
from packer.kubernetes_objects.render import render
from packer.plan.plan import Plan
from packer.units import GIB, MIB
from tests.rendered_plans import (
    SAMPLE_OPTIONS,
    Document,
    container,
    documents,
    environment,
    of_kind,
    pod_spec,
)
from tests.sample_plans import company_plan, tiny_plan


def _deployments(
    plan: Plan | None = None, options: RenderOptions = SAMPLE_OPTIONS
) -> dict[str, Document]:
    return of_kind(documents(plan or company_plan(), options), "Deployment")


def _mounted(uri: str, path: str) -> Plan:
    plan = tiny_plan()
    placed = plan.placements[0]
    argv = tuple(path if argument.endswith(".gguf") else argument for argument in placed.argv)
    variant = replace(placed.variant, mount=uri)
    return replace(plan, placements=(replace(placed, variant=variant, argv=argv),))


def test_one_deployment_per_replica_and_one_per_router() -> None:
    assert set(_deployments()) == {
        *("chat-0", "chat-1", "code-0", "embed-0", "moe-0", "oss-0"),
        *("router-rtx-0-gpu0", "router-rtx-0-gpu1"),
    }


def test_the_container_runs_the_plans_command_line() -> None:
    plan = company_plan()
    for placed in plan.placements[:3]:
        only = container(_deployments()[f"{placed.workload}-{placed.replica}"])
        assert only["command"] == ["/app/llama-server"]
        assert only["args"] == list(placed.argv[1:])
        assert only["image"] == plan.server.image


def test_the_program_can_be_the_images_own() -> None:
    deployment = _deployments(tiny_plan(), replace(SAMPLE_OPTIONS, program=""))["chat-0"]
    assert "command" not in container(deployment)
    plan = tiny_plan()
    placed = replace(plan.placements[0], argv=("/opt/llama-server", *plan.placements[0].argv[1:]))
    plan = replace(plan, placements=(placed,))
    deployment = _deployments(plan, replace(SAMPLE_OPTIONS, program=""))["chat-0"]
    assert container(deployment)["command"] == ["/opt/llama-server"]


def test_dollars_reach_the_server_as_they_are() -> None:
    plan = tiny_plan()
    argv = (*plan.placements[0].argv, "--chat-template", "$(LLAMA_API_KEY) $$ {{ a }}")
    plan = replace(plan, placements=(replace(plan.placements[0], argv=argv),))
    args = container(_deployments(plan)["chat-0"])["args"]
    assert args[-1] == "$$(LLAMA_API_KEY) $$$$ {{ a }}"


def test_every_pod_keeps_the_restricted_profile_and_more() -> None:
    for deployment in _deployments().values():
        pod, only = pod_spec(deployment), container(deployment)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["runAsGroup"] == pod["securityContext"]["fsGroup"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
        assert "hostPort" not in only["ports"][0]
        kinds = {kind for volume in pod["volumes"] for kind in volume} - {"name"}
        assert kinds <= {"persistentVolumeClaim", "emptyDir", "configMap", "csi", "image"}


def test_a_pod_is_stopped_before_its_successor_starts() -> None:
    for deployment in _deployments().values():
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}
        assert deployment["spec"]["replicas"] == 1
        assert pod_spec(deployment)["terminationGracePeriodSeconds"] == 60


def test_selectors_find_their_own_pods_only() -> None:
    deployments = _deployments()
    for name, deployment in deployments.items():
        wanted = deployment["spec"]["selector"]["matchLabels"].items()
        matching = [
            other
            for other, candidate in deployments.items()
            if wanted <= candidate["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert matching == [name]


def test_the_environment() -> None:
    found = documents(company_plan())
    assert of_kind(found, "ConfigMap")["company-environment"]["data"] == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HOME": "/tmp",
        "LLAMA_CACHE": "/tmp/llama.cpp",
    }
    deployments = of_kind(found, "Deployment")
    for name, deployment in deployments.items():
        only = container(deployment)
        assert only["envFrom"] == [{"configMapRef": {"name": "company-environment"}}]
        key = {"name": "LLAMA_API_KEY", "valueFrom": {"secretKeyRef": _KEY}}
        assert key in only["env"]
        # The device plugin sets the cards of a router itself.
        assert ("CUDA_VISIBLE_DEVICES" in environment(deployment)) != name.startswith("router-")


_KEY = {"name": "llama-api-key", "key": "api-key"}


def test_no_key_is_asked_for_without_a_secret() -> None:
    router = _deployments(options=replace(SAMPLE_OPTIONS, api_key_secret=""))["router-rtx-0-gpu0"]
    assert "env" not in container(router)


def test_memory_covers_the_plan_in_whole_mib() -> None:
    plan = company_plan()
    deployments = _deployments()
    limits = container(deployments["chat-0"])["resources"]["limits"]
    host = plan.placements[0].host.total_bytes
    assert limits["memory"] == f"{-(-host // MIB)}Mi"
    router = container(deployments["router-rtx-0-gpu1"])["resources"]
    hosts = sum(p.host.total_bytes for p in plan.placements if p.workload in ("vision", "small"))
    assert router["limits"]["memory"] == f"{-(-(hosts + GIB // 2) // MIB)}Mi"
    assert router["requests"]["memory"] == router["limits"]["memory"]
    assert router["limits"]["nvidia.com/gpu"] == 1
    assert "claims" not in router


def test_cpu_and_scratch_room() -> None:
    options = replace(SAMPLE_OPTIONS, cpu_request_millicores=1500, scratch_bytes=4 * GIB)
    only = container(_deployments(tiny_plan(), options)["chat-0"])
    assert only["resources"]["requests"]["cpu"] == "1500m"
    assert "cpu" not in only["resources"]["limits"]
    assert only["resources"]["limits"]["ephemeral-storage"] == "4Gi"
    whole = container(_deployments(tiny_plan())["chat-0"])["resources"]["requests"]["cpu"]
    assert whole == "1"


def test_startup_waits_for_every_model_of_the_node_from_a_slow_disk() -> None:
    plan = company_plan()
    (group, *_) = card_groups(plan, None)
    here = sum(p.variant.file_bytes for p in plan.placements if p.node == "l40s-0")
    assert startup_seconds(group, RenderOptions()) == -(-here // 200_000_000) + 120
    fast = RenderOptions(disk_bytes_per_second=2_000_000_000, startup_margin_seconds=0)
    assert startup_seconds(group, fast) == -(-here // 2_000_000_000)
    probe = container(_deployments()["chat-0"])["startupProbe"]
    budget = probe["periodSeconds"] * probe["failureThreshold"]
    assert 0 <= budget - startup_seconds(group, RenderOptions()) < 10
    assert _deployments()["chat-0"]["spec"]["progressDeadlineSeconds"] > budget


def test_startup_counts_the_projector() -> None:
    groups = card_groups(company_plan(), None)
    vision = next(p for p in groups[-1].placements if p.workload == "vision")
    files = sum(p.variant.file_bytes for p in groups[-1].neighbours)
    with_projector = files + vision.devices[0].projector_bytes
    assert startup_seconds(groups[-1], RenderOptions()) == -(-with_projector // 200_000_000) + 120


def test_probes_ask_for_health() -> None:
    for deployment in _deployments().values():
        only = container(deployment)
        assert only["ports"] == [{"name": "http", "containerPort": 8080}]
        for probe in ("readinessProbe", "livenessProbe"):
            assert only[probe]["httpGet"] == {"path": "/health", "port": "http"}


def test_a_router_has_started_once_every_model_answers() -> None:
    deployments = _deployments()
    server = container(deployments["chat-0"])["startupProbe"]
    assert server["httpGet"] == {"path": "/health", "port": "http"}
    router = container(deployments["router-rtx-0-gpu1"])["startupProbe"]
    (shell, flag, script) = router["exec"]["command"]
    assert (shell, flag) == ("/bin/sh", "-c")
    assert script.startswith("for m in vision small; do curl ")
    assert "http://127.0.0.1:8080/props?model=$m&autoload=false" in script


def test_the_port_is_the_command_lines() -> None:
    plan = tiny_plan()
    argv = tuple("9000" if argument == "8080" else argument for argument in plan.placements[0].argv)
    plan = replace(plan, placements=(replace(plan.placements[0], argv=argv),))
    assert container(_deployments(plan)["chat-0"])["ports"][0]["containerPort"] == 9000


@pytest.mark.parametrize(
    ("uri", "volume"),
    [
        (
            "pvc://models/a/b.gguf",
            {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
        ),
        (
            "csi://blob.example.com/b.gguf",
            {"csi": {"driver": "blob.example.com", "readOnly": True}},
        ),
        (
            "csi://blob.example.com/b.gguf?bucket=models&region=eu",
            {
                "csi": {
                    "driver": "blob.example.com",
                    "readOnly": True,
                    "volumeAttributes": {"bucket": "models", "region": "eu"},
                }
            },
        ),
        (
            "image://example.com/qwen3:v1#b.gguf",
            {"image": {"reference": "example.com/qwen3:v1", "pullPolicy": "IfNotPresent"}},
        ),
        (
            "file:///srv/models/b.gguf",
            {"hostPath": {"path": "/srv/models", "type": "Directory"}},
        ),
    ],
)
def test_model_volumes(uri: str, volume: Document) -> None:
    path = model_pod_path(uri)
    options = replace(SAMPLE_OPTIONS, allow_host_path=True)
    deployment = _deployments(_mounted(uri, path), options)["chat-0"]
    assert pod_spec(deployment)["volumes"][0] == {"name": "models-0", **volume}
    mount = container(deployment)["volumeMounts"][0]
    assert mount["readOnly"] is True
    assert path.startswith(f"{mount['mountPath']}/")


def test_a_volume_of_several_models_is_mounted_once() -> None:
    router = _deployments()["router-rtx-0-gpu1"]
    assert [volume["name"] for volume in pod_spec(router)["volumes"]] == [
        "models-0",
        "scratch",
        "preset",
    ]
    assert container(router)["volumeMounts"][-1]["mountPath"] == PRESET_PATH.rpartition("/")[0]


def test_a_new_preset_restarts_its_router_and_a_new_plan_hash_restarts_nobody() -> None:
    def templates(plan: Plan, options: RenderOptions) -> dict[str, Document]:
        return {n: d["spec"]["template"] for n, d in _deployments(plan, options).items()}

    plan = company_plan()
    before = templates(plan, SAMPLE_OPTIONS)
    renamed = replace(plan, inputs=replace(plan.inputs, fleet_sha256="0" * 64))
    assert templates(renamed, SAMPLE_OPTIONS) == before
    other = templates(plan, replace(SAMPLE_OPTIONS, preset=lambda group: f"[{group.name}]\n"))
    assert {name for name in before if other[name] != before[name]} == {
        "router-rtx-0-gpu0",
        "router-rtx-0-gpu1",
    }


def test_whole_cards_need_a_preset_writer() -> None:
    with pytest.raises(ValueError, match=r"RenderOptions\.preset"):
        render(company_plan(), RenderOptions())


def test_a_router_serves_every_workload_of_its_cards() -> None:
    options = replace(SAMPLE_OPTIONS, sharing=Sharing.WHOLE)
    router = _deployments(company_plan(), options)["router-l40s-0-gpu0-gpu1"]
    labels = router["spec"]["template"]["metadata"]["labels"]
    assert {name for name in labels if name.startswith("workload.gpu-packer/")} == {
        "workload.gpu-packer/chat",
        "workload.gpu-packer/embed",
    }
    assert labels["app.kubernetes.io/component"] == "router"
