"""Plans through the API: what is recorded, what depends on the inputs alone, progress."""

import json
from dataclasses import replace

from packer import __version__, api
from packer.catalogue.edition import catalogue_edition
from packer.solver.outcome import Progress
from tests.planned import inputs, plan

EXAMPLE = "01-four-models-one-card"


def test_hashes_and_versions_are_recorded() -> None:
    made, given = plan(EXAMPLE), inputs(EXAMPLE)
    assert made.inputs.fleet_sha256 == given.fleet_sha256
    assert made.inputs.inventory_sha256 == given.inventory_sha256
    assert (made.inputs.fleet_name, made.inputs.inventory_name) == ("four-models", "one-l40s")
    assert made.versions.gpu_packer == __version__
    assert made.versions.catalogue == catalogue_edition()
    assert made.versions.llama_cpp_build == "b11434"
    assert made.versions.ortools.startswith("9.")


def test_a_plan_says_what_it_does_not_know_of_a_build() -> None:
    known = plan(EXAMPLE)
    given = inputs(EXAMPLE)
    image = replace(given.fleet.server_image, build="b9600")
    other = api.plan(replace(given, fleet=replace(given.fleet, server_image=image)))
    estimated = "compute buffers were measured on llama.cpp b11434: those of b9600 are estimated"
    assert [note for note in other.notes if note not in known.notes] == [
        *[f"{name}: {estimated}" for name in ("chat", "code", "embed", "translate")],
        "llama.cpp b9600 is not known by name; the flags of b11434 were used",
    ]


def test_everything_but_the_run_block_depends_on_the_inputs_alone() -> None:
    first, second = plan(EXAMPLE), api.plan(inputs(EXAMPLE))
    assert replace(first, run=second.run) == second
    assert first.run.total_seconds >= first.run.solver_seconds >= 0
    documents = [json.loads(api.plan_text(one)) for one in (first, second)]
    for document in documents:
        del document["run"]
    assert json.dumps(documents[0]) == json.dumps(documents[1])


def test_progress_is_told() -> None:
    seen: list[Progress] = []
    made = api.plan(inputs(EXAMPLE), progress=seen.append)
    assert seen
    assert seen[-1].objective == made.objective_value
    known = [one.bound for one in seen if one.bound is not None]
    assert max(known) <= made.objective_value


def test_another_seed_gives_the_same_value() -> None:
    made = api.plan(inputs(EXAMPLE), seed=7, workers=1)
    assert made.policy.seed == 7
    assert made.objective_value == plan(EXAMPLE).objective_value
