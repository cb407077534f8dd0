"""What is installed: the package and its data, nothing that runs, nothing of the workshop."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_KINDS = {
    ".py",
    ".typed",
    ".gz",
    ".zip",
    ".csv",
    ".json",
    ".jsonl",
    ".md",
    ".j2",
    ".html",
    ".css",
    ".js",
}
_REASON = re.compile(r'^\s*"(?P<name>[A-Za-z0-9_.-]+)[^"]*",\s*#\s*(?P<reason>.+)$')


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built as an index would get it."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*command, str(out)], cwd=ROOT, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_package_and_its_data_only(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert len(tops) == 2
    assert "packer" in tops
    (metadata,) = tops - {"packer"}
    assert re.fullmatch(r"gpu_packer-[0-9.]+\.dist-info", metadata)
    inside = [name for name in names if name.startswith("packer/")]
    assert {Path(name).suffix for name in inside} <= _KINDS
    assert not [name for name in inside if "test" in Path(name).name]


def test_every_module_and_data_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "packer"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    missing = set(listed.stdout.split()) - set(wheel.namelist())
    assert not {name for name in missing if ROOT.joinpath(name).exists()}


def test_nothing_runs_at_install_time(wheel: zipfile.ZipFile) -> None:
    assert not [name for name in wheel.namelist() if name.endswith((".pth", "setup.py", ".so"))]
    (description,) = (name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL"))
    assert b"Root-Is-Purelib: true" in wheel.read(description)
    assert not ROOT.joinpath("setup.py").exists()
    assert "hooks" not in PROJECT["tool"]["hatch"].get("build", {})


def test_the_wheel_is_small_and_licensed(wheel: zipfile.ZipFile) -> None:
    assert sum(one.compress_size for one in wheel.infolist()) < 8 * 2**20
    licenses = {Path(name).name for name in wheel.namelist() if ".dist-info/licenses/" in name}
    assert licenses == {"LICENSE", "NOTICE"}


def test_every_dependency_has_its_reason_and_size() -> None:
    stated = {
        match["name"]: match["reason"]
        for line in (ROOT / "pyproject.toml").read_text().splitlines()
        if (match := _REASON.match(line))
    }
    for requirement in PROJECT["project"]["dependencies"]:
        name = re.split(r"[^A-Za-z0-9_.-]", requirement)[0]
        assert re.search(r"[0-9]+ MB", stated[name]), name
    for extra, requirements in PROJECT["project"]["optional-dependencies"].items():
        lines = (ROOT / "pyproject.toml").read_text().splitlines()
        (line,) = (one for one in lines if one.startswith(f"{extra} = "))
        assert requirements
        assert re.search(r"#.*[0-9]+ MB", line), extra


def test_every_locked_requirement_has_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    pinned = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    assert len(pinned) > 50
    for line in pinned:
        assert "==" in line, line[:80]
        assert "--hash=sha256:" in line, line[:80]
