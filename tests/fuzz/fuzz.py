"""Coverage-guided fuzzing of one target: ``python -m tests.fuzz.fuzz NAME --seconds 60``.

Fails on any exception that is not ours, on more than a second of processor time for one input,
and on 200 MB above what the process holds when an input begins. The fuzzer itself grows by a
kilobyte for each input of some targets: it holds what it compared.
"""

import argparse
import gc
import os
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["packer"]):
    from tests.fuzz.targets import TARGETS, Target, run

HERE = Path(__file__).parent
_MOST_SECONDS = 1.0
_MORE_MEGABYTES = 200
_MOST_MEGABYTES = 2000
_SHARE_OF_BYTES = 0.25
"""Inputs whose bytes are changed, whatever they mean, where a target knows its form."""


class TooSlow(Exception):
    """One input took longer than a user would wait for an error."""


class TooLarge(Exception):
    """One input took more memory than any answer about it is worth."""


def try_input(target: Target, content: bytes) -> None:
    """Read one input within its time and memory.

    Raises:
        TooSlow, TooLarge: It took more; or what no reader may raise.
    """
    held, peak, begun = _resident_megabytes(), _peak_megabytes(), time.process_time()
    run(target, content)
    seconds = time.process_time() - begun
    if peak < _peak_megabytes() > held + _MORE_MEGABYTES:
        raise TooLarge(f"{_peak_megabytes() - held} MB for {len(content)} bytes")
    if seconds > _MOST_SECONDS:
        raise TooSlow(f"{seconds:.1f} s for {len(content)} bytes")


def main() -> None:
    """Fuzz until the time or the number of runs is over; libFuzzer ends the process."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("target", choices=sorted(TARGETS))
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--runs", type=int, default=-1)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--corpus", type=Path, help="folder that keeps what reaches new code")
    given = arguments.parse_args()
    target = TARGETS[given.target]

    def one_input(content: bytes) -> None:
        try_input(target, content)

    def another_input(content: bytes, longest: int, seed: int) -> bytes:
        draw = Random(seed)
        if target.change is not None and draw.random() > _SHARE_OF_BYTES:
            try:
                changed = target.change(content, draw)
            except Exception:
                # libFuzzer would wait for ever for a mutator that raised.
                traceback.print_exc()
                os._exit(1)
            if 0 < len(changed) <= longest:
                return changed
        mutated: bytes = atheris.Mutate(content, longest)
        return mutated

    findings = HERE / "findings" / given.target
    findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        corpus, words = given.corpus or Path(scratch, "corpus"), Path(scratch, "words")
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(target.seeds()):
            corpus.joinpath(f"seed-{number}").write_bytes(seed[: target.longest])
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        kept = [str(path) for path in (HERE / "seeds" / given.target, findings) if path.is_dir()]
        options = (
            f"-max_total_time={given.seconds}",
            f"-runs={given.runs}",
            f"-seed={given.seed}",
            f"-max_len={target.longest}",
            f"-dict={words}",
            f"-artifact_prefix={findings}/",
            "-timeout=600",  # a real hang, however busy the machine; time is counted above
            "-report_slow_units=600",
            f"-rss_limit_mb={_MOST_MEGABYTES}",  # an input that would fill the machine
            "-print_final_stats=1",
            "-verbosity=1",
        )
        folders = (str(corpus), *kept)
        atheris.Setup([sys.argv[0], *options, *folders], one_input, custom_mutator=another_input)
        gc.collect()
        gc.freeze()  # what was imported is not looked through again and again
        atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(
        character if character.isalnum() or character in " _.:-" else f"\\x{ord(character):02x}"
        for character in word
    )


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _resident_megabytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


if __name__ == "__main__":
    main()
