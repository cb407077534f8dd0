"""Speculative decoding as arithmetic: tokens of a cycle, and whether the cycle pays."""

from packer.errors import InvalidInput, Problem


def tokens_per_cycle(acceptance: float, depth: int) -> float:
    """Tokens one draft-and-verify cycle yields on average. Exact for independent tokens.

    Args:
        acceptance: Probability that one drafted token is accepted, given those before it were.
        depth: Tokens drafted.

    Raises:
        InvalidInput: The acceptance is not between 0 and 1, or the depth is negative.

    Source: Leviathan, Kalman, Matias: Fast Inference from Transformers via Speculative Decoding
        (2023), equation 1.
    """
    _check(acceptance, depth)
    if acceptance == 1.0:
        return depth + 1.0
    return (1.0 - acceptance ** (depth + 1)) / (1.0 - acceptance)


def tokens_per_cycle_reported(accepted_share: float, depth: int) -> float:
    """Tokens of one cycle from accepted ÷ drafted, as llama-server reports it. Exact.

    Raises:
        InvalidInput: The share is not between 0 and 1, or the depth is negative.
    """
    _check(accepted_share, depth)
    return 1.0 + depth * accepted_share


def speculative_gain(yielded: float, cycle_seconds: float, step_seconds: float) -> float:
    """Speed with speculation over speed without it. Exact for the given seconds.

    Args:
        yielded: Tokens of one cycle.
        cycle_seconds: Drafting and verifying, together [s].
        step_seconds: One plain decode step [s].
    """
    return yielded * step_seconds / cycle_seconds


def break_even_acceptance(cycle_seconds: float, step_seconds: float, depth: int) -> float | None:
    """Smallest acceptance at which a cycle pays; None if none does. To four decimals."""
    wanted = cycle_seconds / step_seconds
    if wanted > depth + 1:
        return None
    low, high = 0.0, 1.0
    for _ in range(14):
        middle = (low + high) / 2
        if tokens_per_cycle(middle, depth) < wanted:
            low = middle
        else:
            high = middle
    return high


def _check(share: float, depth: int) -> None:
    problems = []
    if not 0.0 <= share <= 1.0:
        problems.append(
            Problem(
                code="P1001",
                title=f"an acceptance of {share:g} is not between 0 and 1",
                help="write a share such as 0.7",
            )
        )
    if depth < 0:
        problems.append(
            Problem(
                code="P1002",
                title=f"a draft depth of {depth} is negative",
                help="write 0 for no speculation, or the number of drafted tokens",
            )
        )
    if problems:
        raise InvalidInput(problems)
