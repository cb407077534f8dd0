"""The check before a start, run as a host would run it: it reads the file that lies there."""

from dataclasses import replace
from pathlib import Path

import pytest

from packer.api.host_services import host_services
from packer.cli.main import run
from packer.host_services.options import HostTarget
from packer.plan.plan import Plan
from packer.units import GIB, MIB
from tests.sample_plans import L40S_BYTES, tiny_plan
from tests.tiny_models import TinyShape, write_tiny_model
from tests.unit.host_services.test_host_systemd import read_words


def _on_disk(path: Path, used_by_others: int = 0) -> Plan:
    """The tiny plan with its model at a path of the node, and neighbours on its card."""
    plan = tiny_plan()
    placed = plan.placements[0]
    pod = f"/models/file{path}"
    argv = tuple(pod if word.endswith(".gguf") else word for word in placed.argv)
    variant = replace(placed.variant, mount=f"file://{path}")
    card = plan.nodes[0].cards[0]
    card = replace(card, used_bytes=card.used_bytes + used_by_others)
    return replace(
        plan,
        placements=(replace(placed, argv=argv, variant=variant),),
        nodes=(replace(plan.nodes[0], cards=(card,)),),
    )


def _check(plan: Plan) -> list[str]:
    unit = host_services(plan, HostTarget.SYSTEMD)["lab-0/llama-chat-0.service"]
    (line,) = [one for one in unit.splitlines() if one.startswith("ExecStartPre=")]
    return read_words(line.removeprefix("ExecStartPre="))


def test_a_file_as_planned_may_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_tiny_model(tmp_path / "m.gguf")
    words = _check(_on_disk(model))
    assert words[words.index("--model") + 1] == str(model)
    assert run(words[1:]) == 0
    assert "L40S" in capsys.readouterr().out


def test_a_file_that_takes_more_than_neighbours_leave_may_not(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "m.gguf")
    planned = tiny_plan().placements[0].devices[0].high_bytes
    crowded = _on_disk(model, L40S_BYTES - planned - 64 * MIB)
    assert run(_check(crowded)[1:]) == 0
    larger = write_tiny_model(model, TinyShape(width=1024, heads=32, key_value_heads=32, layers=64))
    assert larger.stat().st_size > GIB // 8
    almost_full = _on_disk(model, L40S_BYTES - 256 * MIB)
    assert run(_check(almost_full)[1:]) == 1
