import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from packer.domain.node import Sharing
from packer.kubernetes_objects.guarantees import describe_guarantees
from packer.kubernetes_objects.plan_hash import plan_sha256
from packer.kubernetes_objects.render import render
from packer.plan.running_text import running_text
from tests.rendered_plans import SAMPLE_OPTIONS, documents, live, of_kind, strings
from tests.sample_plans import company_plan, tiny_plan


def test_files_of_the_tiny_plan() -> None:
    assert list(render(tiny_plan(), SAMPLE_OPTIONS)) == [
        "kustomization.yaml",
        "NOTES.md",
        "claims/lab-0-gpu0.yaml",
        "environment.yaml",
        "service-account.yaml",
        "workloads/chat/deployment-0.yaml",
        "workloads/chat/service.yaml",
    ]


def test_the_kustomization_lists_every_object_and_labels_no_selector() -> None:
    found = documents(company_plan(), replace(SAMPLE_OPTIONS, create_namespace=True))
    root = found.pop("kustomization.yaml")
    assert sorted(root["resources"]) == sorted(found)
    assert root["resources"][0] == "namespace.yaml"
    assert root["namespace"] == "llm"
    assert "commonLabels" not in root
    (labels,) = root["labels"]
    assert labels["includeSelectors"] is False


def test_every_object_says_where_it_belongs() -> None:
    for path, document in documents(company_plan()).items():
        if path != "kustomization.yaml":
            assert document["metadata"]["namespace"] == "llm"
            labels = document["metadata"]["labels"]
            assert labels["app.kubernetes.io/part-of"] == "company"
            assert labels["app.kubernetes.io/managed-by"] == "gpu-packer"


def test_without_a_namespace_nobody_is_told_one() -> None:
    for document in documents(company_plan(), replace(SAMPLE_OPTIONS, namespace="")).values():
        assert "namespace" not in document
        assert "namespace" not in document.get("metadata", {})


def test_the_namespace_enforces_restricted_unless_host_paths_were_allowed() -> None:
    options = replace(SAMPLE_OPTIONS, create_namespace=True)
    labels = of_kind(documents(tiny_plan(), options), "Namespace")["llm"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    loose = replace(options, allow_host_path=True)
    labels = of_kind(documents(tiny_plan(), loose), "Namespace")["llm"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"


def test_deployments_carry_the_plans_hash_and_bytes() -> None:
    plan = company_plan()
    chat = of_kind(documents(plan), "Deployment")["chat-0"]["metadata"]["annotations"]
    first, second = (device.high_bytes for device in plan.placements[0].devices)
    assert chat == {
        "gpu-packer/plan-sha256": plan_sha256(plan),
        "gpu-packer/planned-bytes": f"gpu0={first},gpu1={second}",
        "gpu-packer/planned-host-bytes": str(plan.placements[0].host.total_bytes),
        "gpu-packer/placed": running_text(plan.placements[:1], {}),
    }


def test_the_hash_covers_everything_but_the_run() -> None:
    plan = company_plan()
    assert plan_sha256(replace(plan, run=replace(plan.run, created="later"))) == plan_sha256(plan)
    assert plan_sha256(replace(plan, gap=0.5)) != plan_sha256(plan)
    with pytest.raises(TypeError, match="holds a set"):
        plan_sha256(replace(plan, notes={1}))  # type: ignore[arg-type]


SHOW = """
from tests.rendered_plans import SAMPLE_OPTIONS
from tests.sample_plans import company_plan
from packer.kubernetes_objects.render import render
for path, text in render(company_plan(), SAMPLE_OPTIONS).items():
    print(path, text)
"""


def test_the_same_plan_gives_the_same_bytes_under_any_hash_seed() -> None:
    root = str(Path(__file__).parents[3])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SHOW],
            check=True,
            capture_output=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": seed, "TZ": zone},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Kolkata"))
    }
    assert len(outputs) == 1
    assert b"workloads/chat/service.yaml" in outputs.pop()


def test_nothing_secret_and_no_clock_in_any_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLAMA_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "canary-5d1f2a3b")
    plan = company_plan()
    for text in render(plan, SAMPLE_OPTIONS).values():
        assert "canary" not in text
        assert plan.run.created not in text
    assert "kind: Secret" not in "".join(render(plan, SAMPLE_OPTIONS).values())


def test_notes_name_what_must_exist() -> None:
    notes = render(company_plan(), SAMPLE_OPTIONS)["NOTES.md"]
    assert "kubectl create secret generic llama-api-key --from-file=api-key=FILE -n llm" in notes
    assert "DRA driver" in notes
    assert "device plugin" in notes
    assert "the PersistentVolumeClaim `models`" in notes
    bare = replace(SAMPLE_OPTIONS, api_key_secret="", namespace="", sharing=Sharing.WHOLE)
    notes = render(tiny_plan(), bare)["NOTES.md"]
    assert "Secret" not in notes
    assert "DRA driver" not in notes


def test_every_name_in_the_notes_and_files_is_of_the_plan() -> None:
    """No file of another plan is repeated: nothing of the samples is built in."""
    for document in documents(tiny_plan()).values():
        assert not any("company" in text for text in strings(document))


def test_a_line_for_every_card_and_one_for_every_mechanism() -> None:
    lines = describe_guarantees(company_plan())
    assert lines[0] == (
        "l40s-0 gpu0 (L40S): 28.5 GiB of 44.4 GiB planned for chat-0, embed-0; claim "
        "l40s-0-gpu0-gpu1 takes any free L40S on one node in eu-a; memory not enforced"
    )
    assert sum(" gpu" in line.partition("(")[0] for line in lines) == company_plan().cards
    assert lines[-4].startswith("Named claims (dra)")
    assert lines[-3].startswith("Whole cards (whole)")
    assert lines[-2].startswith("No UUID pins these cards")
    assert lines[-1].endswith("once you have checked one.")


def test_live_cards_are_named_and_whole_cards_are_not() -> None:
    lines = describe_guarantees(live(company_plan()))
    assert "claim l40s-0-gpu0 is this card, by UUID" in lines[0]
    assert not any(line.startswith("No UUID") for line in lines)
    whole = describe_guarantees(live(company_plan()), Sharing.WHOLE)
    assert "one pod owns 2 cards on node l40s-0, chosen by the device plugin" in whole[0]
    assert "one pod owns 1 card on node l40s-0" in whole[2]
    assert not any("Named claims" in line for line in whole)


def test_memory_that_others_hold_is_no_promise_without_a_uuid() -> None:
    plan = tiny_plan()
    card = replace(plan.nodes[0].cards[0], taken_bytes=6 * 2**30)
    plan = replace(plan, nodes=(replace(plan.nodes[0], cards=(card,)),))
    assert "6.0 GiB are counted as taken by others" in describe_guarantees(plan)[0]
    assert "taken by others" not in describe_guarantees(live(plan))[0]
