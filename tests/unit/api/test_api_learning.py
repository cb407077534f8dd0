"""A calibration in a plan: what it changes, what the plan records, what does not count."""

from dataclasses import replace

import pytest

from packer import api
from packer.api.measurements import DECODE, Calibration, Measurement, SpeedMeasurement
from packer.errors import InvalidInput
from packer.llamacpp.arguments import parse_arguments
from packer.performance.constants import speed_constants
from packer.performance.learnt import Learnt
from packer.plan.audit import find_contradictions
from packer.plan.plan import Plan
from packer.spec.plan_file import format_plan, read_plan
from packer.units import MIB
from tests.small_fleets import BUILD, fleet, gpu, inventory, model, pool, workload

CARD = gpu(6000, "small")
FLEET, THERE = fleet(workload("a"), workload("b")), inventory(pool("p", CARD))
INPUTS = api.Input(FLEET, THERE, "0" * 64, "1" * 64)
SMALL = Measurement("small", "8.6", 200 * MIB, "nvidia-smi")
SPEED = SpeedMeasurement(
    gpu="small",
    model=model("qwen3-0.6b", "Q8_0").fingerprint,
    name="Qwen3 0.6B",
    build=BUILD,
    quantity=DECODE,
    depth=64,
    slots=1,
    measured_seconds=0.02,
    rest_seconds=0.01,
    depth_seconds=0.0,
    fitted=speed_constants().text["fitted"],
    way="llama-bench",
)


def _plan(calibration: Calibration | None) -> Plan:
    return api.plan(INPUTS, calibration=calibration)


def test_measured_overheads_are_packed_and_recorded() -> None:
    plain, made = _plan(None), _plan(Calibration((SMALL,)))
    assert plain.calibration is None
    assert made.calibration is not None
    (process,) = made.calibration.processes
    assert (process.bytes, process.high_bytes, process.measurements) == (
        200 * MIB,
        250 * MIB,
        1,
    )
    for placed in made.placements:
        assert placed.devices[0].process_bytes == 200 * MIB
    assert made.nodes[0].cards[0].used_bytes < plain.nodes[0].cards[0].used_bytes
    assert "process overhead of small (1)" in "".join(made.notes)


def test_the_audit_takes_the_recorded_overheads() -> None:
    made = _plan(Calibration((SMALL,)))
    assert list(find_contradictions(made, FLEET, THERE, parse_arguments)) == []
    assert made.calibration is not None
    process = replace(made.calibration.processes[0], high_bytes=251 * MIB)
    forged = replace(made, calibration=Learnt((process,)))
    assert any("argv" in one for one in find_contradictions(forged, FLEET, THERE, parse_arguments))
    bare = replace(made, calibration=None)
    assert any("argv" in one for one in find_contradictions(bare, FLEET, THERE, parse_arguments))


def test_a_plan_with_a_calibration_is_read_again_as_it_was() -> None:
    made = _plan(Calibration((SMALL,), (SPEED,)))
    assert read_plan(format_plan(made), "plan.json") == made


def test_speed_factors_are_recorded_for_the_plans_models_cards_and_build() -> None:
    other_build = replace(SPEED, build="b9999")
    other_model = replace(SPEED, model="1 parameters in 2 bytes", name="something else")
    made = _plan(Calibration((), (SPEED, other_build, other_model)))
    assert made.calibration is not None
    (found,) = made.calibration.speeds
    assert found.build == BUILD
    assert found.decode.rest == pytest.approx(2.0, rel=0.01)
    notes = "\n".join(made.notes)
    assert "Qwen3 0.6B on small with b9999 does not count" in notes
    assert "something else" in notes
    learnt, file = made.calibration, model("qwen3-0.6b", "Q8_0")
    assert learnt.speed("small", file, BUILD) == found
    assert learnt.speed("L40S", file, BUILD) is None
    assert learnt.speed("small", file, "b1") is None
    assert learnt.speed("small", file, BUILD.removeprefix("b")) == found
    assert learnt.silence("small", file, BUILD) == ()
    assert learnt.silence("small", file, "b1") == (
        f"measured speeds of this model on small are of {BUILD} and do not count",
    )
    assert learnt.silence("L40S", file, BUILD) == ("no measured speed is of this model on L40S",)
    assert Learnt().silence("L40S", file, BUILD) == ()


def test_speeds_compared_with_older_constants_are_named() -> None:
    made = _plan(Calibration((), (replace(SPEED, fitted="2020-01-01"),)))
    assert "older constants" in "\n".join(made.notes)


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration((replace(SMALL, gpu="L40S", compute_capability="8.9"),)),
        Calibration((), (replace(SPEED, gpu="L40S"),)),
        Calibration((), (replace(SPEED, gpu="CPU"),)),
        Calibration((), (replace(SPEED, build="b1"),)),
        Calibration((), (replace(SPEED, model="1 parameters in 2 bytes"),)),
    ],
)
def test_a_calibration_of_something_else_is_refused(calibration: Calibration) -> None:
    with pytest.raises(InvalidInput) as error:
        _plan(calibration)
    assert [one.code for one in error.value.problems] == ["P0420"]
