"""Buffers of a card's log beside the plan's, and every way a log may fall short."""

import json
from dataclasses import replace

import pytest

from packer import api
from packer.api.fleet_calibrating import FleetCalibration
from packer.api.logged_buffers import log_findings
from packer.api.manifests import manifest_objects
from packer.api.measurements import Measurement
from packer.api.server_answers import AskedReplica, answer_findings, planned_context
from packer.cluster.answers import Told
from packer.cluster.servers import server_of
from packer.cluster.verification import RunningPod
from packer.errors import InvalidInput
from packer.plan.finding import Finding
from packer.plan.plan import Plan, PlannedFigure, PlannedSpeed
from packer.units import MIB
from tests.planned import plan

WHOLE = plan("01-four-models-one-card")
NOTHING = Told(why_not="nobody answers")
# Format strings of build b11434; the sizes are filled in from a plan.
LOG = """\
0.00.001.571 I srv  llama_server: initializing ...
  Device 0: NVIDIA L40S, compute capability 8.9, VMM: yes, VRAM: 45596 MiB
0.00.022 I llama_model_loader: loaded meta data with 22 key-value pairs and 21 tensors from {file} (version GGUF V3 (latest))
0.00.023 I load_tensors: offloaded 33/33 layers to GPU
0.00.025 I load_tensors:   CPU_Mapped model buffer size = {host_weights:.2f} MiB
0.00.025 I load_tensors:        CUDA0 model buffer size = {weights:.2f} MiB
0.00.025 I llama_context: constructing llama_context
0.00.025 I llama_context: n_seq_max             = 4
0.00.025 I llama_context: n_ctx_seq             = 16384
0.00.025 I llama_context:  CUDA_Host  output buffer size = {output:.2f} MiB
0.00.026 I llama_kv_cache:      CUDA0 KV buffer size = {context:.2f} MiB
0.00.026 I sched_reserve: reserving ...
0.00.030 I sched_reserve:      CUDA0 compute buffer size = {compute:.2f} MiB
0.00.030 I sched_reserve:  CUDA_Host compute buffer size = {host_compute:.2f} MiB
0.00.034 I srv  llama_server: model loaded
"""  # noqa: E501 — log lines are long
ENDED = "common_memory_breakdown_print: |   - CUDA0 (L40S)   | 45596 = 33000 + (11000 = 1 + 2 + 3) + 450 |\n"  # noqa: E501


def alone() -> Plan:
    """A plan of one replica on one card."""
    return replace(WHOLE, placements=WHOLE.placements[:1])


def log_of(made: Plan, **changed: float) -> str:
    """What its server would log, with some sizes changed [MiB]."""
    one = made.placements[0]
    (device,) = one.devices
    sizes = {
        "weights": device.weights_bytes,
        "context": device.context_bytes,
        "compute": device.compute_bytes,
        "host_weights": one.host.weights_bytes,
        "host_compute": one.host.compute_bytes,
        "output": one.host.output_bytes,
    }
    file = one.argv[one.argv.index("--model") + 1]
    return LOG.format(file=file, **({k: v / MIB for k, v in sizes.items()} | changed))


def asked(made: Plan, log: str = "", *, is_routed: bool = False, **answers: Told) -> AskedReplica:
    one = made.placements[0]
    bodies = {(b["kind"], b["metadata"]["name"]): b for b in manifest_objects(WHOLE)}
    said = {"props": NOTHING, "slots": NOTHING, "metrics": NOTHING, **answers}
    pod = RunningPod(server_of(bodies["Deployment", "chat-0"]), {})
    return AskedReplica("chat-0", one, pod, ("CUDA0",), is_routed, **said, log=Told(log))


def wrong(findings: list[Finding]) -> dict[str, str]:
    return {one.what: one.found for one in findings if one.is_as_planned is False}


def test_a_card_and_the_host_are_compared_part_by_part() -> None:
    made = alone()
    findings = [*log_findings(asked(made, log_of(made)))]
    assert wrong(findings) == {}
    assert [one.what for one in findings] == [
        "log model file", "log slots", "log context per slot", "log layers on cards",
        "gpu0 weights", "gpu0 context", "gpu0 compute", "gpu0 buffers together",
        "host weights", "host compute", "host output",
    ]  # fmt: skip
    context = next(one for one in findings if one.what == "gpu0 context")
    assert (context.basis, context.allowed) == ("exact", "±0.02 MiB")
    weights = next(one for one in findings if one.what == "gpu0 weights")
    assert weights.basis == "estimated"
    assert weights.allowed.startswith("−")


def test_differences_of_one_part_are_named() -> None:
    made = alone()
    findings = [*log_findings(asked(made, log_of(made, context=100.0)))]
    assert wrong(findings)["gpu0 context"] == "100.00 MiB"
    other = log_of(made).replace("n_ctx_seq             = 16384", "n_ctx_seq             = 8192")
    findings = [*log_findings(asked(made, other.replace("33/33", "20/33")))]
    assert wrong(findings) == {"log context per slot": "8192", "log layers on cards": "20"}


def test_a_server_that_fell_back_to_the_host_is_caught() -> None:
    made = alone()
    findings = [*log_findings(asked(made, log_of(made).replace("CUDA0 ", "CPU ")))]
    assert wrong(findings).keys() >= {"gpu0 weights", "gpu0 context", "gpu0 compute"}
    assert wrong(findings)["gpu0 context"] == "0.00 MiB"


def reason(log: str, *, is_routed: bool = False) -> str:
    (only,) = log_findings(asked(alone(), log, is_routed=is_routed))
    assert (only.what, only.is_as_planned) == ("log", None)
    return only.found


def test_logs_that_fall_short_are_said_to() -> None:
    whole = log_of(alone())
    lines = whole.splitlines(keepends=True)
    assert "--log-buffers" in reason(lines[0] + lines[-1])
    assert "rotation" in reason("".join(lines[5:]))
    assert "rotation" in reason("")
    assert "before a context" in reason("".join(lines[:5]))
    assert "router" in reason(whole, is_routed=True)
    cut = [*log_findings(asked(alone(), "".join(lines[:11])))]
    assert {one.what: one.found for one in cut if one.is_as_planned is None and one.basis} == {
        "gpu0 compute": "no line of the log tells it",
        "host compute": "no line of the log tells it",
        "host weights": f"{alone().placements[0].host.weights_bytes / MIB:.2f} MiB",
    }


def test_a_model_of_a_router_is_read_from_its_own_lines() -> None:
    made = alone()
    said = [f"[6000] {line}" for line in log_of(made).splitlines()]
    spawned = "0.0 I srv load: spawning server instance with name=chat on port 6000"
    findings = [*log_findings(asked(made, "\n".join([spawned, *said]), is_routed=True))]
    assert wrong(findings) == {}
    assert "gpu0 context" in {one.what for one in findings}


def test_rows_split_over_cards_have_no_figure_of_their_own() -> None:
    made = alone()
    findings = [*log_findings(asked(made, log_of(made).replace("CUDA0 model", "CUDA_Split model")))]
    weights = next(one for one in findings if one.what == "gpu0 weights")
    assert weights.is_as_planned is None
    assert "split" in weights.found


def test_answers_that_are_none_are_not_judged() -> None:
    for text in ("", "[]", "no", '{"total_slots": "4"}'):
        findings = [*answer_findings(asked(alone(), props=Told(text), slots=Told("{}")))]
        assert all(one.is_as_planned is None for one in findings), findings


def test_a_measured_speed_is_shown_beside_the_planned_one_and_not_judged() -> None:
    made = alone()
    figure = PlannedFigure(50.0, 45.0, 55.0, "default")  # type: ignore[arg-type]
    speed = PlannedSpeed(figure, figure, figure, depth=512, slots=4)
    made = replace(made, placements=(replace(made.placements[0], speed=speed),))
    metrics = "llamacpp:n_tokens_max 427\nllamacpp:predicted_tokens_seconds 39.6\n"
    findings = [*answer_findings(asked(made, metrics=Told(metrics)))]
    (told,) = (one for one in findings if one.what == "/metrics tokens per second")
    assert (told.found, told.allowed, told.is_as_planned) == ("39.6 on average", "45 to 55", None)
    too_long = [*answer_findings(asked(made, metrics=Told("llamacpp:n_tokens_max 20000\n")))]
    assert wrong(too_long) == {"/metrics longest request": "20000"}


def test_slots_that_share_a_cache_may_use_all_of_it() -> None:
    one = alone().placements[0]
    assert planned_context(one) == 16384
    words = ["--kv-unified" if word == "--no-kv-unified" else word for word in one.argv]
    assert planned_context(replace(one, argv=tuple(words))) == 65536


def test_an_ended_server_tells_its_process_overhead() -> None:
    made = alone()
    learnt = FleetCalibration(made)
    learnt.learn(asked(made, log_of(made)), Told(log_of(made) + ENDED))
    assert learnt.found.measurements == (Measurement("L40S", "8.9", 450 * MIB, "server log"),)
    text = api.written_calibration(learnt)
    assert json.loads(text)["process"][0]["bytes"] == 450 * MIB


def test_servers_that_share_a_card_or_say_nothing_teach_nothing() -> None:
    learnt = FleetCalibration(WHOLE)
    learnt.learn(asked(WHOLE, log_of(WHOLE)), Told(log_of(WHOLE) + ENDED))
    made = alone()
    silent = FleetCalibration(made)
    silent.learn(asked(made, log_of(made)), Told(why_not="no such container"))
    routed = FleetCalibration(made)
    routed.learn(asked(made, log_of(made), is_routed=True), Told(log_of(made) + ENDED))
    for one, words in ((learnt, "shares a card"), (silent, "no server ended"), (routed, "router")):
        with pytest.raises(InvalidInput, match=words) as caught:
            api.written_calibration(one)
        assert caught.value.problems[0].code == "P0426"
