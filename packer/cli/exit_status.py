"""Exit statuses of every command, in one place."""

DONE = 0
NO = 1
"""The answer is no: infeasible, differs, over budget, does not fit."""
INVALID = 2
"""Usage or input is wrong."""
OUT_OF_TIME = 3
UNREACHABLE = 4
BUG = 70
INTERRUPTED = 130

MEANINGS: dict[int, str] = {
    DONE: "done",
    NO: "the answer is no: infeasible, differs, over budget, does not fit",
    INVALID: "usage or invalid input",
    OUT_OF_TIME: "out of time without a plan",
    UNREACHABLE: "cluster or file host unreachable",
    BUG: "a bug of gpu-packer",
    INTERRUPTED: "interrupted",
}
