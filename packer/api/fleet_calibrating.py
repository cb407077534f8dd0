"""A calibration from a running fleet: speeds of its servers, and process overheads where told.

Only servers that have their cards to themselves count: how busy a neighbour was is not known.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from packer.api.measurements import Calibration
from packer.errors import GpuPackerError, InvalidInput, Problem, Unreachable

if TYPE_CHECKING:
    from packer.api.server_answers import AskedReplica
    from packer.cluster.answers import Told
    from packer.plan.plan import Placement, Plan


class FleetCalibration:
    """What was learnt so far.

    Attributes:
        found: Every measurement.
        left_out: Replica → why nothing was learnt of it.
    """

    def __init__(self, plan: "Plan") -> None:
        """Nothing learnt yet."""
        self._plan = plan
        self._products = {node.name: node.product for node in plan.nodes}
        self._held = Counter((one.node, gpu) for one in plan.placements for gpu in one.gpus)
        self.found = Calibration()
        self.left_out: dict[str, str] = {}

    def learn(self, asked: "AskedReplica", ended_log: "Told") -> None:
        """Take in one replica: its requests, and the account of the server it had before."""
        why_not = self._why_not(asked)
        if why_not:
            self.left_out[asked.name] = why_not
            return
        faults = [*self._learn_process(asked, ended_log), *self._learn_speed(asked)]
        if len(faults) == 2:
            self.left_out[asked.name] = "; ".join(faults)

    def _why_not(self, asked: "AskedReplica") -> str:
        if asked.is_routed:
            return "a router's models share its cards"
        one = asked.placement
        if any(self._held[one.node, gpu] > 1 for gpu in one.gpus):
            return "it shares a card, and how busy its neighbours were is not known"
        return ""

    def _learn_process(self, asked: "AskedReplica", ended_log: "Told") -> Iterator[str]:
        """Process overhead of the account that an ended server printed; else why there is none."""
        from packer.api.calibrating import calibrate

        if ended_log.why_not:
            yield "no server ended here, whose account would tell its process overhead"
            return
        try:
            self.found = calibrate(ended_log.text, previous=self.found, names=(asked.name, ""))
        except InvalidInput as error:
            yield error.problems[0].why or error.problems[0].title

    def _learn_speed(self, asked: "AskedReplica") -> Iterator[str]:
        """Speeds of single requests in the log; else the averages of /metrics; else why not."""
        from packer.api.speed_calibrating import MeasuredServer, calibrate_speed

        one = asked.placement
        server = MeasuredServer(
            argv=_on_this_machine(one),
            gpus=(self._products[one.node],) * len(one.gpus),
            build=self._plan.server.build,
        )
        faults: list[str] = []
        for told in (asked.log, asked.metrics):
            try:
                self.found = calibrate_speed(
                    told.text, server, previous=self.found, name=asked.name
                )
            except (InvalidInput, Unreachable) as error:
                faults.append(_reason(error))
            else:
                return
        yield faults[-1]


def written_calibration(learnt: FleetCalibration) -> str:
    """Text of the calibration file.

    Raises:
        InvalidInput: P0426, nothing was learnt; with the reason of every replica.
    """
    from packer.api.calibration_file import calibration_text

    if learnt.found == Calibration():
        raise InvalidInput(_nothing(learnt.left_out.items()))
    return calibration_text(learnt.found)


def _nothing(left_out: Iterable[tuple[str, str]]) -> Problem:
    why = "; ".join(f"{name}: {reason}" for name, reason in left_out) or "no server was asked"
    help_ = "let servers answer requests, or give calibrate their logs and nvidia-smi's output"
    return Problem("P0426", "this fleet tells nothing to calibrate with", None, why, help_)


def _on_this_machine(placement: "Placement") -> tuple[str, ...]:
    """The command line with models as the plan knows them, not as the pod sees them."""
    words, variant = list(placement.argv), placement.variant
    for flag, model in (
        ("--model", variant.model),
        ("--spec-draft-model", variant.draft_model),
        ("--mmproj", variant.projector_model),
    ):
        if flag in words[:-1] and model:
            words[words.index(flag) + 1] = model
    return tuple(words)


def _reason(error: GpuPackerError) -> str:
    if isinstance(error, InvalidInput):
        problem = error.problems[0]
        return f"{problem.title}: {problem.why}" if problem.why else problem.title
    return str(error).splitlines()[0]
