"""Sweeps on a real Ray cluster and a real Dask cluster of this machine: the same table."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from packer import api
from packer.errors import Unreachable
from packer.sweep.dask_cluster import DaskCluster
from packer.sweep.ray_cluster import RayCluster
from packer.sweep.task import Engine
from tests.clusters import dask_cluster, free_port, ray_cluster
from tests.gpu_packer import run_gpu_packer
from tests.sweep_engine_work import doubled_or_not
from tests.sweep_files import write_sweep

Start = Callable[[Path], AbstractContextManager[str]]
TASKS = [0, 1, 3, 4]
"""One of them raises."""


@pytest.mark.parametrize(
    ("name", "start"), [("ray", ray_cluster), ("dask", dask_cluster)], ids=["ray", "dask"]
)
def test_a_cluster_gives_the_table_of_one_process(tmp_path: Path, name: str, start: Start) -> None:
    path = write_sweep(tmp_path / "files", 2)
    api.sweep(path, tmp_path / "here", processes=1)
    with start(tmp_path) as address:
        done = run_gpu_packer(
            *("sweep", str(path), "--out", str(tmp_path / "there")),
            *("--engine", name, "--address", address),
        )
        assert done.returncode == 0, done.stderr
        assert "16 computed, 0 kept from earlier, " in done.stderr
        assert f" on {name}; wrote " in done.stderr
        failures = _failures(RayCluster(address) if name == "ray" else DaskCluster(address))
    here, there = ((tmp_path / folder / "sweep.csv").read_text() for folder in ("here", "there"))
    assert there == here
    assert here.count("\n") == 17
    assert failures == {2: "ValueError: three is refused"}


def _failures(engine: Engine) -> dict[int, str]:
    found = list(engine.run(doubled_or_not, 0, TASKS))
    assert {one.index: one.result for one in found if not one.failure} == {0: 0, 1: 2, 3: 8}
    assert engine.processes == 2
    return {one.index: one.failure for one in found if one.failure}


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_cluster_that_does_not_answer_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr("packer.sweep.dask_cluster._CONNECT_SECONDS", 2)
    path = write_sweep(tmp_path, 1)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=f"answers at .*{address}"):
        api.sweep(path, tmp_path / "out", engine=engine, address=address)
    assert "not computed yet" in (tmp_path / "out" / "sweep.md").read_text()
