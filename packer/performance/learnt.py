"""What the user's own measurements say about the cards and models of one plan or estimate."""

from collections.abc import Iterator
from dataclasses import dataclass

from packer.domain.gpu import MeasuredProcess
from packer.domain.llama_build import is_same_build
from packer.domain.model import ModelFile
from packer.performance.calibration import Calibration


@dataclass(frozen=True)
class Learnt:
    """Measured process overheads and speed factors; a plan records those it was made with."""

    processes: tuple[MeasuredProcess, ...] = ()
    speeds: tuple[Calibration, ...] = ()

    def speed(self, gpu: str, model: ModelFile, build: str) -> Calibration | None:
        """Factors of a GPU, a model and a build; None if they were not measured together."""
        about = self._about(gpu, model)
        return next((one for one in about if is_same_build(one.build, build)), None)

    def silence(self, gpu: str, model: ModelFile, build: str) -> tuple[str, ...]:
        """Why speeds that were measured do not count here; nothing where they do."""
        if not self.speeds or self.speed(gpu, model, build):
            return ()
        others = ", ".join(one.build for one in self._about(gpu, model))
        if others:
            return (f"measured speeds of this model on {gpu} are of {others} and do not count",)
        return (f"no measured speed is of this model on {gpu}",)

    def _about(self, gpu: str, model: ModelFile) -> Iterator[Calibration]:
        return (one for one in self.speeds if (one.gpu, one.model) == (gpu, model.fingerprint))
