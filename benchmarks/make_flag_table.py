"""Writes packer/llamacpp/data/flags-<build>.json from the programs of one llama.cpp build.

Names, aliases, environment variables and arity come from ``--help``; whether a value must be a
number comes from handing each flag a word. Nothing of the help's prose is kept. Usage::

    python benchmarks/make_flag_table.py b11434 --llama-server BIN --llama-fit-params BIN
    python benchmarks/make_flag_table.py b11549 --wheel      # the parser inside xllamacpp
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

DATA = Path(__file__).parent.parent / "packer" / "llamacpp" / "data"
PROGRAMS = ("llama-server", "llama-fit-params")
HELP_COLUMN = 40
# The wheel exports common_params_parse(); the numbers are llama.cpp's enum llama_example.
EXAMPLES = {"llama-server": 12, "llama-fit-params": 21}
WHEEL_PROGRAM = """
import ctypes, sys, xllamacpp
library = ctypes.CDLL(xllamacpp.xllamacpp.__file__)
parse = library["_Z19common_params_parseiPPcR13common_params13llama_examplePFviS0_E"]
parse.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
example, *words = sys.argv[1:]
params = xllamacpp.CommonParams()
argv = (ctypes.c_char_p * (len(words) + 2))(b"llama", *[w.encode() for w in words], None)
parse(len(words) + 1, argv, id(params) + 16, int(example), None)
"""

Flag = dict[str, object]


def main() -> None:
    """Write one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--wheel", action="store_true")
    for program in PROGRAMS:
        parser.add_argument(f"--{program}")
    given = vars(parser.parse_args())
    flags: dict[tuple[str, ...], Flag] = {}
    for program in PROGRAMS:
        if given["wheel"]:
            command = [sys.executable, "-c", WHEEL_PROGRAM, str(EXAMPLES[program])]
        else:
            command = [given[program.replace("-", "_")]]
        for flag in read_help(run(command, ["--help"])):
            known = flags.setdefault(tuple(flag["names"]), flag)  # type: ignore[arg-type]
            known.setdefault("programs", [])
            known["programs"].append(program)  # type: ignore[attr-defined]
            if known is flag and flag["value"] == "text":
                flag["value"] = value_kind(command, flag["names"][-1])  # type: ignore[index]
    rows = ",\n  ".join(json.dumps(flag) for flag in flags.values())
    table = f'{{"build": "{given["build"]}", "flags": [\n  {rows}\n]}}\n'
    (DATA / f"flags-{given['build']}.json").write_text(table)


def run(command: Sequence[str], words: Sequence[str]) -> str:
    """Output of a program, both streams, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, *words], cwd=folder, capture_output=True, text=True, timeout=20, check=False
        )
    return done.stdout + done.stderr


def read_help(text: str) -> list[Flag]:
    """Flags of a help text, in its order."""
    flags: list[Flag] = []
    for line in text.splitlines():
        if re.match(r"-+[A-Za-z]", line):
            flags.append(read_heading(line))
        if (found := re.search(r"\(env: (\w+)\)", line)) and flags:
            flags[-1]["env"] = found[1]
        if "argument has been removed" in line and flags:
            flags[-1]["removed"] = True
    return flags


def read_heading(line: str) -> Flag:
    """Names and arity of one flag; the description starts at a fixed column or on the next line."""
    is_short = line[HELP_COLUMN - 3 : HELP_COLUMN].strip() == ""
    heading = line[:HELP_COLUMN] if is_short else line
    names = re.match(r"-[^\s,]+(?:,\s+-[^\s,]+)*", heading)
    assert names, line
    hint = heading[names.end() :].strip()
    all_names = re.split(r",\s+", names[0])
    positive = [n for n in all_names if n.startswith("--") and not n.startswith("--no-")]
    has_negation = not hint and positive and all_names[-1].startswith("--no-")
    split = all_names.index(positive[-1]) + 1 if has_negation else len(all_names)
    kind = "none" if not hint else "pair" if re.fullmatch(r"[A-Z]+ [A-Z]+", hint) else "text"
    flag: Flag = {"names": all_names[:split], "value": kind}
    if has_negation:
        flag["negated"] = all_names[split:]
    return flag


def value_kind(command: Sequence[str], name: str) -> str:
    """``int``, ``float`` or ``text``: how the program reads the flag's value."""
    answer = run(command, [name, "word", "--no-such-flag"])
    if "stoi" in answer:
        return "int"
    return "float" if re.search(r"stof|stod", answer) else "text"


if __name__ == "__main__":
    main()
