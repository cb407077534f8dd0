"""Asking an installed llama.cpp: the question, the program's answer, and every way to fail.

The program here is a small stand-in, because the real one is not a Python package; it prints what
llama-fit-params prints. The real wheel is asked in tests/llamacpp/test_oracle_wheel.py.
"""

import stat
import sys
from pathlib import Path

import pytest

from packer.errors import InvalidInput
from packer.llamacpp import oracle, oracle_wheel
from packer.llamacpp.oracle import Oracle, ask, find_oracle
from packer.llamacpp.oracle_program import read_rows
from packer.llamacpp.oracle_question import OracleQuestion, oracle_question
from packer.llamacpp.oracle_rows import OracleRow, first_fault
from packer.units import MIB

QUESTION = OracleQuestion(("llama-fit-params", "-m", "a.gguf"), ())


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in on the PATH; tests write what it does."""
    path = tmp_path / "llama-fit-params"
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def _write(path: Path, body: str) -> Path:
    path.write_text(f"#!{sys.executable}\nimport sys, os, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _why(error: pytest.ExceptionInfo[InvalidInput]) -> str:
    (problem,) = error.value.problems
    assert problem.code == "P0492"
    return problem.why


def _asked(command: str, *, is_unified: bool = False, **environment: str) -> OracleQuestion:
    return oracle_question(
        command.split(),
        environment,
        build="b11434",
        model_path="/m/a.gguf",
        context_cells=4096,
        slots=2,
        is_unified=is_unified,
    )


OWN = "-m /m/a.gguf -c 4096 -np 2"


def test_the_question_has_sizes_as_resolved_and_flags_as_given() -> None:
    asked = _asked(
        "/bin/llama-server -m b.gguf -ub 256 -ctk q8_0 --port 80 -c 9 -ts 3,1 --no-op-offload"
    )
    assert " ".join(asked.words) == (
        f"llama-fit-params -ub 256 -ctk q8_0 -ts 3,1 --no-op-offload {OWN} --fit off --no-repack"
    )
    assert asked.left_out == ()


def test_a_unified_cache_is_a_servers_question() -> None:
    asked = _asked("llama-server -m b.gguf --kv-unified -np 2", is_unified=True)
    assert " ".join(asked.words) == f"llama-server {OWN} --kv-unified --fit off --no-repack"
    assert asked.left_out == ()


def test_variables_become_flags() -> None:
    asked = _asked(
        "llama-server -m b.gguf",
        LLAMA_ARG_UBATCH="128",
        LLAMA_ARG_KV_OFFLOAD="off",
        LLAMA_ARG_SWA_FULL="1",
        LLAMA_ARG_PORT="80",
    )
    words = " ".join(asked.words)
    assert "-ub 128" in words or "--ubatch-size 128" in words
    assert "-nkvo" in words or "--no-kv-offload" in words
    assert "--swa-full" in words
    assert "80" not in words


def test_what_is_not_asked_about_is_named_once() -> None:
    asked = _asked(
        "llama-server -m b.gguf -md d.gguf --mmproj p.gguf --lora l.gguf --lora k.gguf --metrics"
    )
    assert asked.left_out == ("-md", "--mmproj", "--lora")


def test_the_program_is_asked_and_its_rows_are_read(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "7")
    body = (
        "assert sys.argv[1:] == ['-m', 'a.gguf', '--fit-print', 'on'], sys.argv\n"
        "assert 'LLAMA_ARG_CTX_SIZE' not in os.environ\n"
        "print('0.00.001.000 I talk on stderr', file=sys.stderr)\n"
        "print('CUDA0 784 32 76 \\nHost 1 2 3 ')"
    )
    _write(program, body)
    found = find_oracle(prefers_program=True)
    assert found == Oracle(str(program), str(program), knows_unified=False)
    answer = ask(found, QUESTION)
    assert answer.resolution_bytes == MIB
    assert answer.rows == (
        OracleRow("CUDA0", 784 * MIB, 32 * MIB, 76 * MIB),
        OracleRow("Host", MIB, 2 * MIB, 3 * MIB),
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("sys.exit('error: invalid argument: --zz')", "error: invalid argument: --zz"),
        (
            "print('0.00.014.492 E gguf: failed to open', file=sys.stderr); os.abort()",
            "gguf: failed to open",
        ),
        ("sys.exit(3)", "it ended with status 3"),
        ("print('CUDA0 1 2 3 ')", "it printed no row for the host"),
        ("print('Host one two three')", "it printed no row for the host"),
        ("sys.stdout.buffer.write(bytes(range(256)))", "it printed no row for the host"),
        ("time.sleep(60)", "it gave no answer in 0.5 s"),
    ],
)
def test_a_program_that_does_not_answer(
    body: str, why: str, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "_SECONDS", 0.5 if "sleep" in body else 30.0)
    _write(program, body)
    with pytest.raises(InvalidInput) as error:
        ask(find_oracle(prefers_program=True), QUESTION)
    assert _why(error) == why


def test_a_program_that_cannot_be_run() -> None:
    with pytest.raises(InvalidInput) as error:
        ask(Oracle("gone", "/nowhere/llama-fit-params", knows_unified=False), QUESTION)
    assert "No such file" in _why(error)


def test_a_wheel_that_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_wheel, "_CHILD", "packer.no_such_module")
    with pytest.raises(InvalidInput) as error:
        ask(Oracle("wheel", "", knows_unified=True), QUESTION)
    assert "No module named packer.no_such_module" in _why(error)


def test_which_oracle_is_asked(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "wheel_version", lambda: "1.2")
    wheel = Oracle("xllamacpp 1.2", "", knows_unified=True)
    assert find_oracle(prefers_program=True) == wheel
    path = str(_write(program, ""))
    assert find_oracle(prefers_program=True).path == path
    assert find_oracle(prefers_program=False) == wheel
    monkeypatch.setattr(oracle, "wheel_version", lambda: "")
    assert find_oracle(prefers_program=False).path == path
    program.unlink()
    with pytest.raises(InvalidInput) as error:
        find_oracle(prefers_program=False)
    assert error.value.problems[0].code == "P0491"


def test_no_wheel_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_wheel, "_DISTRIBUTION", "no_such_distribution")
    assert oracle_wheel.wheel_version() == ""
    # A folder of the name is importable and yet no distribution.
    monkeypatch.setattr(oracle_wheel, "_DISTRIBUTION", "json")
    assert oracle_wheel.wheel_version() == ""


def test_device_names_may_have_spaces() -> None:
    assert read_rows("RPC0 [a b] 1 2 3 \r\nHost 4 5 6") == (
        OracleRow("RPC0 [a b]", MIB, 2 * MIB, 3 * MIB),
        OracleRow("Host", 4 * MIB, 5 * MIB, 6 * MIB),
    )


def test_the_cause_is_the_first_fault_of_a_log() -> None:
    log = "0.00.1.2 I all is well\nfailed to open x\nfailed to load model\n"
    assert first_fault(log, 1) == "failed to open x"
