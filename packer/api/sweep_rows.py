"""Rows of a sweep before anything is computed: what each scenario asks, and its hash."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from packer import __version__
from packer.api.scenario_answers import Setting, changed_inputs, without_plan
from packer.errors import Infeasible, InvalidInput
from packer.plan.plan import Versions
from packer.plan.scenario import Scenario
from packer.plan.sweep import SweepRow


def versions_of(llama_cpp_build: str) -> Versions:
    """What computes the answers; another version may give others."""
    from importlib.metadata import version

    from packer.catalogue.edition import catalogue_edition

    return Versions(__version__, version("ortools"), llama_cpp_build, catalogue_edition())


def unanswered_rows(
    scenarios: Sequence[Scenario],
    setting: Setting,
    refused: Mapping[tuple[str, str], InvalidInput],
) -> Iterator[SweepRow]:
    """One row per scenario, with the hash of all that its answer follows from.

    Those that make no sense, or whose inventory could not be read, carry their answer already.
    """
    from packer.sweep.fingerprint import Fingerprints

    prints = Fingerprints()
    for one in scenarios:
        row = _row(one)
        try:
            if one.source in refused:
                raise refused[one.source]
            inputs = changed_inputs(setting, one)
        except (InvalidInput, Infeasible) as error:
            yield replace(row, answer=without_plan(error))
            continue
        versions = versions_of(inputs.fleet.server_image.build)
        key = prints.of(versions, setting.limits, inputs.fleet, inputs.inventory)
        yield replace(row, input_sha256=key)


def _row(scenario: Scenario) -> SweepRow:
    return SweepRow(
        scenario=scenario.name,
        inventory=scenario.inventory,
        prices=scenario.prices.name,
        context=scenario.context.name,
        quantization_floor=scenario.quantization_floor,
        demand=scenario.demand.name,
        context_factor=scenario.context.everywhere,
        demand_factor=scenario.demand.everywhere,
        input_sha256="",
        answer=None,
        is_in_grid=scenario.is_in_grid,
    )
