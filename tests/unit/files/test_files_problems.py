import errno
import os
from pathlib import Path

import pytest

from packer.errors import InvalidInput
from packer.files.problems import writing


@pytest.mark.parametrize(
    ("number", "help_text"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EROFS, f"where user {os.geteuid()} may"),
        (errno.EACCES, f"where user {os.geteuid()} may"),
        (errno.EBUSY, "mount point"),
        (errno.ENAMETOOLONG, "check the path"),
    ],
)
def test_every_refusal_of_the_system_says_why_and_what_helps(number: int, help_text: str) -> None:
    with pytest.raises(InvalidInput) as caught, writing(Path("build/plan.json")):
        raise OSError(number, os.strerror(number))
    (problem,) = caught.value.problems
    assert problem.code == "P0702"
    assert str(problem.where) == "build/plan.json"
    assert problem.why == os.strerror(number)
    assert help_text in problem.help
    assert isinstance(caught.value.__cause__, OSError)
