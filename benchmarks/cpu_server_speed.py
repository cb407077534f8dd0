"""A real llama-server on the CPU against a calibrated prediction; exit 1 beyond 15 %.

    python -m benchmarks.cpu_server_speed [--rounds 20] [--steps 32]

Small random models on one thread are loaded at one to eight slots, shallow and deep. Seven settings
calibrate, the others are predicted. Seconds are the server's own processor time, so a busy machine
says nearly the same as a quiet one.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import packer
from packer import api
from packer.api.speed_calibrating import MeasuredServer
from tests.llamacpp.running_server import LoadedStep, RunningServer
from tests.tiny_models import TinyShape, write_tiny_model

BAR = 0.15
SLOTS, CONTEXT, BUILD = 8, 1280, "b11549"
KNOWN = ((1, 64), (1, 1024), (2, 64), (3, 64), (4, 64), (8, 64), (4, 1024))
"""Slots and depth that calibrate; matrix kernels of the CPU change at four slots, and other kernels
read the caches of several slots than that of one, so that both are measured at two depths."""
PREDICTED = ((1, 512), (6, 64), (2, 512), (3, 512), (4, 512), (8, 512))
SHAPES = {
    "tiny": TinyShape(),
    "small dense": TinyShape(
        layers=4, width=256, heads=4, key_value_heads=2, head_width=64, feed_forward=768
    ),
    "small MoE": TinyShape(
        architecture="qwen3moe",
        layers=4,
        width=256,
        heads=4,
        key_value_heads=2,
        head_width=64,
        feed_forward=256,
        experts=8,
        experts_used=2,
    ),
}


@dataclass(frozen=True)
class Checked:
    """One setting: measured and predicted seconds of a step."""

    slots: int
    depth: int
    measured: float
    predicted: float
    was_known: bool

    @property
    def error(self) -> float:
        """Predicted over measured tokens per second, less one."""
        return self.measured / self.predicted - 1


def check_model(path: Path, *, steps: int, rounds: int) -> Iterator[Checked]:
    """Every setting of one model, measured and predicted."""
    with RunningServer(path, SLOTS, CONTEXT) as server:
        found = server.typical([*KNOWN, *PREDICTED], steps, rounds)
    calibration = calibrated([found[setting] for setting in KNOWN], server.argv)
    words = server.argv
    for (slots, depth), one in found.items():
        speed = packer.estimate_command(
            words, build=BUILD, slots=slots, depth=depth + one.steps // 2, calibration=calibration
        )["speed"]
        predicted = 1 / float(speed["decode_tokens_per_second"])
        yield Checked(slots, depth, one.seconds, predicted, (slots, depth) in KNOWN)


def calibrated(known: list[LoadedStep], argv: tuple[str, ...]) -> api.Calibration:
    """What ``gpu-packer calibrate --speeds`` makes of the answers of some loads."""
    calibration: api.Calibration | None = None
    for one in known:
        server = MeasuredServer(argv, gpus=("none",), build=BUILD, slots=one.slots)
        calibration = api.calibrate_speed(one.answers(), server, previous=calibration)
    assert calibration is not None
    return calibration


def main() -> int:
    """Print every setting of every model."""
    parser = argparse.ArgumentParser(description="A real llama-server against our prediction")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=32)
    asked = parser.parse_args()
    worst = 0.0
    print(f"{'model':14}{'slots':>6}{'depth':>7}{'measured':>11}{'predicted':>11}{'error':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in SHAPES.items():
            path = write_tiny_model(Path(folder) / f"{name}.gguf", shape)
            for one in check_model(path, steps=asked.steps, rounds=asked.rounds):
                worst = worst if one.was_known else max(worst, abs(one.error))
                print(
                    f"{name:14}{one.slots:6}{one.depth:7}{one.measured * 1e3:8.3f} ms"
                    f"{one.predicted * 1e3:8.3f} ms{one.error:+8.1%}"
                    f"{'  calibrates' if one.was_known else ''}"
                )
    print(f"worst predicted: {worst:.1%}, bar {BAR:.0%}")
    return 0 if worst <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
