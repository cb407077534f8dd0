"""Which cluster is meant, and what is said when none can be reached."""

from pathlib import Path

import pytest
import yaml

from packer.cli.main import run
from packer.cluster.kubeconfig import find_target
from packer.errors import InvalidInput
from tests.cluster.processes import free_ports


def written(folder: Path, *, server: str = "http://127.0.0.1:1", current: str = "here") -> Path:
    path = folder / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u"}},
            {"name": "there", "context": {"cluster": "c", "user": "u"}},
        ],
        "current-context": current,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def code_of(kubeconfig: str, context: str = "") -> str:
    with pytest.raises(InvalidInput) as caught:
        find_target(kubeconfig, context)
    return caught.value.problems[0].code


def test_the_current_context_is_taken_unless_another_is_named(tmp_path: Path) -> None:
    path = str(written(tmp_path))
    assert find_target(path).name == "here"
    assert find_target(path, "there").name == "there"
    assert find_target(str(written(tmp_path, current="")), "there").name == "there"


def test_no_kubeconfig_is_said_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    assert code_of("") == "P1020"
    assert code_of(str(tmp_path / "missing too")) == "P1020"


@pytest.mark.parametrize("text", ["", "- a", "contexts: 3", "a: [", "contexts: [{}]\nusers: x"])
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    assert code_of(str(path)) == "P1020"
    assert code_of(str(path), "there") == "P1020"


def test_a_misspelt_context_gets_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        find_target(str(written(tmp_path)), "theer")
    (problem,) = caught.value.problems
    assert (problem.code, problem.help) == ("P1021", "did you mean there?")
    assert code_of(str(written(tmp_path, current=""))) == "P1020"


def test_a_missing_certificate_file_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, server="https://127.0.0.1:1")
    document = yaml.safe_load(path.read_text())
    document["clusters"][0]["cluster"]["certificate-authority"] = str(tmp_path / "gone.crt")
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(InvalidInput) as caught:
        find_target(str(path))
    assert "gone.crt" in str(caught.value)


def test_an_unreachable_server_ends_with_status_4_and_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    path = written(tmp_path, server=f"http://127.0.0.1:{port}")
    assert run(["inventory", "--kubeconfig", str(path)]) == 4
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in said
    assert "refused" in said
    assert "secret-token" not in said
