"""Random fleets on random inventories: sound plans, refusals that hold, bytes that come back.

``python -m benchmarks.fleet_campaign --cases 10000`` asks many more.
"""

from pathlib import Path

import pytest

from tests.fleet_campaign import answer
from tests.random_fleets import write_models

CASES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of the questions lie."""
    made = tmp_path_factory.mktemp("fleets")
    write_models(made)
    return made


@pytest.mark.parametrize("number", range(CASES))
def test_an_answer_holds(number: int, folder: Path) -> None:
    assert [one.faults for one in answer(number, folder)] in ([()], [(), ()])
