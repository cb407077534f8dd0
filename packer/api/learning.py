"""What a calibration says about one fleet on one inventory, and what of it does not count."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from packer.api.inputs import Input
from packer.api.measurements import Calibration
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.domain.gpu import GpuProduct
    from packer.domain.model import ModelFile
    from packer.performance.calibration import Calibration as SpeedCalibration
    from packer.performance.learnt import Learnt


def learnt_about(inputs: Input, calibration: Calibration) -> "tuple[Learnt, tuple[str, ...]]":
    """What measurements say about the cards and models of a plan, and notes on what they do not.

    Raises:
        InvalidInput: P0420, none of them is about this inventory and fleet.
    """
    from packer.memory.visible_card import visible_card
    from packer.performance.learnt import Learnt

    products = list({pool.gpu.name: pool.gpu for pool in inputs.inventory.pools}.values())
    processes, notes = calibration.processes([visible_card(gpu) for gpu in products])
    measured = calibration.learnt_speeds()
    speeds = tuple(_of_fleet(measured, products, inputs))
    if not processes and not speeds:
        raise InvalidInput(_nothing_said(calibration, inputs))
    whole = Learnt(processes, speeds)
    return whole, (_used(whole), *notes, *_speed_notes(measured, speeds, calibration, inputs))


def _of_fleet(
    measured: "tuple[SpeedCalibration, ...]", products: "list[GpuProduct]", inputs: Input
) -> "Iterator[SpeedCalibration]":
    """Factors of this fleet's models on this inventory's products with this build."""
    from packer.domain.llama_build import is_same_build

    build = inputs.fleet.server_image.build
    names = {product.name for product in products}
    prints = {model.fingerprint for model in _models(inputs)}
    for one in measured:
        used = set(one.gpu.split(" + ")) - {"CPU"}
        known = used and used <= names and one.model in prints
        if known and is_same_build(one.build, build):
            yield one


def _models(inputs: Input) -> "Iterator[ModelFile]":
    for workload in inputs.fleet.workloads:
        yield from (variant.model for variant in workload.variants)
        if workload.draft:
            yield workload.draft.variant.model


def _used(learnt: "Learnt") -> str:
    """One line for the plan: what was measured, and how often."""
    said = [f"process overhead of {one.gpu} ({one.measurements})" for one in learnt.processes]
    said += [
        f"speed of {one.name} on {one.gpu} ({one.decode.measurements + one.prefill.measurements})"
        for one in learnt.speeds
    ]
    return f"from your own measurements: {', '.join(said)}"


def _speed_notes(
    measured: "tuple[SpeedCalibration, ...]",
    used: "tuple[SpeedCalibration, ...]",
    calibration: Calibration,
    inputs: Input,
) -> Iterator[str]:
    """Measured speeds that do not count, and those that an older model was compared with."""
    from packer.performance.constants import speed_constants

    build = inputs.fleet.server_image.build
    for one in measured:
        if one not in used:
            yield (
                f"speed of {one.name} on {one.gpu} with {one.build} does not count: "
                f"another model, card or build than this plan's ({build})"
            )
    today = speed_constants().text["fitted"]
    if any(one.fitted != today for one in calibration.speeds):
        yield "some speeds were compared with older constants of the speed model: calibrate again"


def _nothing_said(calibration: Calibration, inputs: Input) -> Problem:
    measured = {one.gpu for one in calibration.measurements}
    cards = sorted(measured | {one.gpu for one in calibration.speeds})
    there = sorted({pool.gpu.name for pool in inputs.inventory.pools})
    models = sorted({f"{one.name} with {one.build}" for one in calibration.speeds})
    why = f"it is about {', '.join(cards + models)}; the inventory has {', '.join(there)}"
    help_ = "measure one of these cards with a model of the fleet, or leave --calibration out"
    return Problem("P0420", "the calibration says nothing about this plan", why=why, help=help_)
