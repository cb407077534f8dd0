"""The Python API: what the command line does, as functions; wires the floors together.

::

    from packer import api
    inputs = api.load("fleet.yaml", "inventory.yaml")
    plan = api.plan(inputs)
    print(api.plan_table(plan))
    api.render(plan, "build/manifests")
    api.report(plan, "build/report")

Each function imports what it needs when it is called, so that asking for little loads little.
"""

import hashlib
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packer import __version__
from packer.domain.node import Inventory, Sharing
from packer.domain.workload import Fleet
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.kubernetes_objects.card_groups import CardGroup
    from packer.kubernetes_objects.options import RenderOptions
    from packer.plan.plan import Plan
    from packer.solver.outcome import Progress
    from packer.spec.lookups import Lookups


@dataclass(frozen=True)
class Input:
    """A fleet and an inventory that were read and found sound, with the hashes of their texts."""

    fleet: Fleet
    inventory: Inventory
    fleet_sha256: str
    inventory_sha256: str


def load(fleet: str | Path, inventory: str | Path) -> Input:
    """Fleet and inventory of two YAML files; ``-`` is standard input.

    Raises:
        InvalidInput: Everything that is wrong with either file, at once.
    """
    from packer.files.text import read_text
    from packer.spec.inputs import Source, read_inputs

    texts: list[str] = []
    problems: list[Problem] = []
    for path in (fleet, inventory):
        try:
            texts.append(read_text(path))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    sources = [
        Source(text, str(path)) for text, path in zip(texts, (fleet, inventory), strict=True)
    ]
    asked, read = read_inputs(sources[0], sources[1], _lookups())
    return Input(asked, read, _sha256(texts[0]), _sha256(texts[1]))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _lookups() -> "Lookups":
    from packer.catalogue.gpus import find_gpu, gpus_matching
    from packer.catalogue.models import find_model, load_model_file
    from packer.gguf.header import read_model_file
    from packer.spec.lookups import Lookups

    return Lookups(
        gpu=find_gpu,
        gpu_family=gpus_matching,
        model_file=read_model_file,
        catalogue_quantizations=lambda name: find_model(name).quantizations,
        catalogue_file=lambda name, quantization: load_model_file(
            find_model(name).id, quantization
        ),
    )


def plan(
    inputs: Input,
    *,
    time_limit_seconds: float = 60.0,
    gap: float = 0.0,
    seed: int = 1,
    workers: int = 2,
    progress: "Callable[[Progress], None] | None" = None,
) -> "Plan":
    """The plan of a fleet on an inventory: optimal, or with its certified gap; always audited.

    Raises:
        Infeasible: No placement exists; carries the reasons and what would help.
        OutOfTime: No plan was found in time; carries the bound.
        InvalidInput: The objective is price, and a pool has none.
    """
    from packer.plan.planning import make_plan
    from packer.solver.stopping import Limits

    limits = Limits(time_seconds=time_limit_seconds, gap=gap, seed=seed, workers=workers)
    build = inputs.fleet.server_image.build
    return make_plan(
        inputs.fleet,
        inputs.inventory,
        _tools(build),
        _facts(inputs),
        limits=limits,
        progress=progress,
    )


def _tools(build: str) -> Any:
    from packer.llamacpp.arguments import parse_arguments
    from packer.llamacpp.command import format_command
    from packer.plan.tools import Tools

    return Tools(
        format_command=lambda options, serving: format_command(options, serving, build=build),
        parse_arguments=lambda argv: parse_arguments(argv, build=build),
    )


def _facts(inputs: Input) -> Any:
    from importlib.metadata import version

    from packer.catalogue.edition import catalogue_edition
    from packer.plan.plan import Inputs, Run, Versions
    from packer.plan.tools import Facts

    return Facts(
        inputs=Inputs(
            fleet_name=inputs.fleet.name,
            fleet_sha256=inputs.fleet_sha256,
            inventory_name=inputs.inventory.name,
            inventory_sha256=inputs.inventory_sha256,
        ),
        versions=Versions(
            gpu_packer=__version__,
            ortools=version("ortools"),
            llama_cpp_build=inputs.fleet.server_image.build,
            catalogue=catalogue_edition(),
        ),
        run=Run(
            solver_seconds=0.0,
            total_seconds=0.0,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            python=platform.python_version(),
            platform=f"{sys.platform} {platform.machine()}",
            processors=os.cpu_count() or 1,
        ),
    )


def read_plan(path: str | Path) -> "Plan":
    """A saved plan; ``-`` is standard input.

    Raises:
        InvalidInput: The file is no plan, or one of another version.
    """
    from packer.files.text import read_text
    from packer.spec.plan_file import read_plan as parse_plan

    return parse_plan(read_text(path), str(path))


def plan_text(plan: "Plan") -> str:
    """The plan as JSON, the contract of ``schemas/plan.schema.json``."""
    from packer.spec.plan_file import format_plan

    return format_plan(plan)


def plan_yaml(plan: "Plan") -> str:
    """The plan as YAML, with the keys of the JSON."""
    import json

    import yaml

    return yaml.safe_dump(json.loads(plan_text(plan)), sort_keys=False, allow_unicode=True)


def save(plan: "Plan", path: str | Path) -> None:
    """Write a plan as JSON, whole or not at all."""
    from packer.files.single_file import write_file

    write_file(Path(path), plan_text(plan))


def plan_table(plan: "Plan", *, wide: bool = False, width: int = 120) -> str:
    """The plan for people in a terminal."""
    from packer.report.terminal import plan_table as table
    from packer.report.terminal import shows_unicode

    return table(plan, wide=wide, width=width, unicode=shows_unicode(sys.stdout))


def explain(plan: "Plan", workload: str) -> str:
    """Why a workload runs where it does, what was refused, and what would save a card."""
    from packer.plan.explanation import explain_workload

    return explain_workload(plan, workload)


def manifests(
    plan: "Plan",
    *,
    namespace: str = "llm",
    sharing: Sharing | None = None,
    allow_host_path: bool = False,
) -> dict[str, str]:
    """Kubernetes manifests of a plan: relative path → YAML."""
    from packer.kubernetes_objects.render import render as render_objects

    return render_objects(plan, _render_options(plan, namespace, sharing, allow_host_path))


def _render_options(
    plan: "Plan", namespace: str, sharing: Sharing | None, allow_host_path: bool
) -> "RenderOptions":
    from packer.domain.serving_options import ServingOptions
    from packer.kubernetes_objects.options import PRESET_PATH, RenderOptions
    from packer.llamacpp.arguments import parse_arguments
    from packer.llamacpp.command import format_router_command
    from packer.llamacpp.router_preset import format_preset

    build = plan.server.build

    def preset(group: "CardGroup") -> str:
        models = []
        for one in group.placements:
            told = parse_arguments(one.argv, build=build)
            options = replace(told, devices=group.device_names(one))
            draft = told.draft.model if told.draft else ""
            serving = ServingOptions(
                alias=one.workload,
                model_path=told.model,
                draft_path=draft,
                projector_path=told.projector or "",
            )
            models.append((options, serving))
        return format_preset(models, build=build)

    def router_command(group: "CardGroup") -> tuple[str, ...]:
        serving = ServingOptions(alias="", model_path="")
        return format_router_command(PRESET_PATH, len(group.placements), serving, build=build)

    return RenderOptions(
        namespace=namespace,
        sharing=sharing,
        allow_host_path=allow_host_path,
        preset=preset,
        router_command=router_command,
    )


def render(
    plan: "Plan",
    out: str | Path,
    *,
    namespace: str = "llm",
    sharing: Sharing | None = None,
    allow_host_path: bool = False,
) -> tuple[str, ...]:
    """Write the manifests of a plan into a folder; returns their relative paths."""
    from packer.files.directory import write_tree

    texts = manifests(plan, namespace=namespace, sharing=sharing, allow_host_path=allow_host_path)
    write_tree(Path(out), texts, "manifests")
    return tuple(sorted(texts))


def guarantees(plan: "Plan", *, sharing: Sharing | None = None) -> tuple[str, ...]:
    """Per card: what is planned, and what the sharing mechanism guarantees."""
    from packer.kubernetes_objects.guarantees import describe_guarantees

    return tuple(describe_guarantees(plan, sharing))


REPORT_FILES = {
    "html": "index.html",
    "markdown": "report.md",
    "json": "report.json",
}


def report(
    plan: "Plan", out: str | Path, *, formats: Sequence[str] = ("html", "markdown", "json")
) -> tuple[str, ...]:
    """Write a plan's report into a folder; returns the file names."""
    from packer.files.directory import write_tree
    from packer.report.html import render_html
    from packer.report.json_twin import render_json
    from packer.report.markdown import render_markdown

    writers = {"html": render_html, "markdown": render_markdown, "json": render_json}
    texts = {REPORT_FILES[name]: writers[name](plan) for name in formats if name in writers}
    if "csv" in formats:
        from packer.report.csv_tables import render_csv

        texts |= render_csv(plan)
    write_tree(Path(out), texts, "report")
    return tuple(texts)


def schema_text(document: str) -> str:
    """JSON Schema of ``fleet``, ``inventory`` or ``plan``."""
    from packer.spec.json_schema import format_schema

    return format_schema(document)  # type: ignore[arg-type]


def catalogue(shelf: str, *, gpu: str = "", region: str = "") -> list[dict[str, object]]:
    """Rows of the built-in catalogue: ``gpus``, ``models`` or ``prices``.

    Raises:
        InvalidInput: No such shelf or card.
    """
    from packer.catalogue.listing import rows

    return rows(shelf, gpu=gpu, region=region)
