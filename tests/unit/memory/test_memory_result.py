"""Totals are the sums of their parts, each counted once."""

from dataclasses import fields, replace

from packer.domain.server_options import ServerOptions
from packer.memory.estimate import estimate_memory
from packer.memory.result import DeviceEstimate, HostEstimate
from tests.memory_models import MadeUp, cards


def test_every_part_of_the_host_is_counted_once() -> None:
    names = [one.name for one in fields(HostEstimate) if one.name.endswith("_bytes")]
    parts = {name: 2**place for place, name in enumerate(names)}
    assert HostEstimate(**parts).total_bytes == 2 ** len(names) - 1


def test_every_part_of_a_card_is_counted_once() -> None:
    options = ServerOptions(context_size=4096, slots=1, fit=False)
    card = estimate_memory(MadeUp().file(), options, cards(1)).devices[0]
    names = [one.name for one in fields(DeviceEstimate) if one.name.endswith("_bytes")]
    parts = [name for name in names if name not in ("low_bytes", "high_bytes", "allocatable_bytes")]
    changed = replace(card, **{name: 2**place for place, name in enumerate(parts)})
    assert sum(getattr(changed, name) for name in parts) == 2 ** len(parts) - 1
    assert changed.total_bytes == 2 ** len(parts) - 1
