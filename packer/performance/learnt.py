"""What the user's own measurements say about the cards and models of one plan or estimate."""

from collections.abc import Iterator
from dataclasses import dataclass

from packer.domain.gpu import MeasuredProcess
from packer.domain.model import ModelFile
from packer.performance.calibration import Calibration


@dataclass(frozen=True)
class Learnt:
    """Measured process overheads and speed factors; a plan records those it was made with."""

    processes: tuple[MeasuredProcess, ...] = ()
    speeds: tuple[Calibration, ...] = ()

    def speed(self, gpu: str, model: ModelFile, build: str) -> Calibration | None:
        """Factors of a GPU, a model and a build; None if they were not measured together."""
        return next((one for one in self._about(gpu, model) if one.build == build), None)

    def other_builds(self, gpu: str, model: ModelFile, build: str) -> tuple[str, ...]:
        """Builds for which the speed of this model was measured on this GPU, others than this."""
        return tuple(one.build for one in self._about(gpu, model) if one.build != build)

    def _about(self, gpu: str, model: ModelFile) -> Iterator[Calibration]:
        return (one for one in self.speeds if (one.gpu, one.model) == (gpu, model.fingerprint))
