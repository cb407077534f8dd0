"""Rendered sample plans against Kubernetes' own schemas and kubectl's kustomize."""

import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from kubernetes_validate.utils import ValidationError, validate

from packer.files.directory import write_tree
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.render import render
from packer.plan.plan import Plan
from tests.custom_definitions import CUSTOM_KINDS, custom_validator
from tests.rendered_plans import SAMPLE_OPTIONS, documents, live
from tests.sample_plans import company_plan, tiny_plan
from tests.sharing_ways import WAYS
from tests.tools import require_tool

VERSIONS = ("1.34", "1.37")


def _with_mount(uri: str, path: str) -> Plan:
    plan = tiny_plan()
    placed = plan.placements[0]
    argv = tuple(path if argument.endswith(".gguf") else argument for argument in placed.argv)
    variant = replace(placed.variant, mount=uri)
    return replace(plan, placements=(replace(placed, variant=variant, argv=argv),))


CASES = {
    "tiny": (tiny_plan(), SAMPLE_OPTIONS),
    "company": (company_plan(), replace(SAMPLE_OPTIONS, create_namespace=True)),
    "company-live": (live(company_plan()), SAMPLE_OPTIONS),
    **WAYS,
    "no-namespace": (company_plan(), replace(SAMPLE_OPTIONS, namespace="", api_key_secret="")),
    "csi": (
        _with_mount("csi://blob.example.com/m.gguf", "/models/csi/blob.example.com/m.gguf"),
        SAMPLE_OPTIONS,
    ),
    "host-path": (
        _with_mount("file:///srv/m.gguf", "/models/file/srv/m.gguf"),
        replace(SAMPLE_OPTIONS, allow_host_path=True, create_namespace=True),
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_every_object_fits_the_schema(case: str, version: str) -> None:
    found = documents(*CASES[case])
    del found["kustomization.yaml"]
    for path, document in found.items():
        if document["kind"] in CUSTOM_KINDS:
            continue
        try:
            validate(document, version, strict=True)
        except ValidationError as error:
            pytest.fail(f"{path}: {error}")


@pytest.mark.parametrize("case", ["litellm", "httproute"])
def test_objects_of_other_projects_fit_their_definitions(case: str) -> None:
    checked = set()
    for path, document in documents(*CASES[case]).items():
        if document["kind"] in CUSTOM_KINDS:
            problems = list(custom_validator(document["kind"]).iter_errors(document))
            assert not problems, (path, problems[0].message)
            checked.add(document["kind"])
    assert checked == CUSTOM_KINDS - ({"HTTPRoute"} if case == "litellm" else set())


@pytest.mark.parametrize("kind", sorted(CUSTOM_KINDS))
def test_the_definitions_do_check(kind: str) -> None:
    found = documents(*CASES["httproute"])
    document = next(one for one in found.values() if one["kind"] == kind)
    assert not list(custom_validator(kind).iter_errors(document))
    document["spec"]["unheardOf"] = 1
    assert list(custom_validator(kind).iter_errors(document))


def test_the_schema_check_does_check() -> None:
    found = documents(tiny_plan())
    claim = found["claims/lab-0-gpu0.yaml"]
    claim["spec"]["devices"]["request"] = []
    with pytest.raises(ValidationError):
        validate(claim, VERSIONS[0], strict=True)


@pytest.mark.parametrize("case", CASES)
def test_kustomize_builds_the_same_objects(case: str, tmp_path: Path) -> None:
    kubectl = require_tool("kubectl")
    plan, options = CASES[case]
    write_tree(tmp_path / "out", render(plan, options), "manifests")
    built = subprocess.run(
        [kubectl, "kustomize", str(tmp_path / "out")], check=True, capture_output=True, text=True
    )
    assert built.stderr == ""
    objects = list(yaml.safe_load_all(built.stdout))
    ours = documents(plan, options)
    del ours["kustomization.yaml"]

    def counts(kinds: list[str]) -> Counter[str]:
        return Counter(kinds)

    assert counts([o["kind"] for o in objects]) == counts([o["kind"] for o in ours.values()])
    by_name = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    for document in ours.values():
        assert by_name[document["kind"], document["metadata"]["name"]] == document


def test_the_working_options_are_the_defaults_but_for_the_router() -> None:
    """What the sample options set is all a caller must set."""
    defaults = RenderOptions(
        namespace="llm",
        preset=SAMPLE_OPTIONS.preset,
        router_command=SAMPLE_OPTIONS.router_command,
    )
    assert defaults == SAMPLE_OPTIONS
