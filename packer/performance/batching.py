"""What several slots in one step share, and what each of them adds."""


def experts_touched(slots: float, experts: int, experts_used: int, independence: float) -> float:
    """Share of the experts that a step of several slots reads. Estimate.

    Independent tokens would touch 1 − (1 − k/E)^slots; those of real conversations agree on some,
    as if there were ``slots ** independence`` of them.

    Args:
        slots: Slots that decode in the step.
        experts: Experts of a layer, E.
        experts_used: Experts one token takes, k.
        independence: 1 for independent tokens; fitted.
    """
    if not experts:
        return 0.0
    tokens: float = slots**independence
    untouched: float = (1.0 - experts_used / experts) ** tokens
    return 1.0 - untouched


def slots_seconds(
    slots: int, state_bytes: float, bandwidth: float, flops: float, flops_per_second: float
) -> float:
    """Seconds that further slots add: their recurrent states and their arithmetic [s]. Estimate.

    Args:
        slots: Slots that decode in the step; what the first one needs is counted elsewhere.
        state_bytes: Recurrent state of one slot, each kind over the share of the bandwidth it
            reaches; states are read and written [bytes].
        bandwidth: Specified bandwidth of the card [bytes/s].
        flops: Arithmetic of one token.
        flops_per_second: What the card reaches on few tokens [1/s].

    Source: hybrids gain least from slots in published llama-batched-bench rows.
    """
    return (slots - 1) * (2 * state_bytes / bandwidth + flops / flops_per_second)
