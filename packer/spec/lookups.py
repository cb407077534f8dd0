"""What the readers of fleets and inventories ask of others: cards, models, files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from packer.domain.gpu import GpuProduct
from packer.domain.instance_price import InstancePrice, RentalQuery
from packer.domain.model import ModelFile
from packer.domain.node import Price
from packer.errors import InvalidInput, Location, Problem


def no_rentals(query: RentalQuery) -> tuple[InstancePrice, ...]:
    """Nothing is for rent where no price list is known.

    Raises:
        InvalidInput: Always.
    """
    title = f"no prices of {query.provider} are known here"
    raise InvalidInput(Problem("P0906", title, help="name pools under nodePools: instead"))


def no_own_price(pool: str) -> Price | None:
    """Nothing is known of what a pool's nodes were bought for."""
    return None


@dataclass(frozen=True)
class Lookups:
    """Functions of the other floors; each raises InvalidInput in its own words.

    Attributes:
        gpu: Product by the name a user writes.
        gpu_family: Every product a name may mean, such as ``H100``; none if it is unknown.
        model_file: Header of a GGUF file on this machine.
        catalogue_quantizations: Quantizations of a catalogue model, by id or alias.
        catalogue_file: Header of a catalogue model at a quantization.
        rentals: Instances that a query means, with their prices.
        own_price: What a node of a pool really costs, by the pool's name; None if nobody says.
    """

    gpu: Callable[[str], GpuProduct]
    gpu_family: Callable[[str], tuple[GpuProduct, ...]]
    model_file: Callable[[Path], ModelFile]
    catalogue_quantizations: Callable[[str], tuple[str, ...]]
    catalogue_file: Callable[[str, str], ModelFile]
    rentals: Callable[[RentalQuery], tuple[InstancePrice, ...]] = no_rentals
    own_price: Callable[[str], Price | None] = no_own_price

    def knowing(self, products: Iterable[GpuProduct]) -> "Lookups":
        """The same with further GPU products, such as those an inventory describes by hand."""
        by_name = {plain_gpu_name(product.name): product for product in products}

        def gpu(name: str) -> GpuProduct:
            return by_name.get(plain_gpu_name(name)) or self.gpu(name)

        def gpu_family(name: str) -> tuple[GpuProduct, ...]:
            known = by_name.get(plain_gpu_name(name))
            return (known,) if known else self.gpu_family(name)

        return replace(self, gpu=gpu, gpu_family=gpu_family)


def plain_gpu_name(name: str) -> str:
    """A GPU's name without what does not count: case, spaces, hyphens, underscores, vendor."""
    plain = "".join(character for character in name.casefold() if character not in " -_")
    return plain.removeprefix("nvidia")


@contextmanager
def located(problems: list[Problem], where: Location) -> Iterator[None]:
    """Collect what a lookup refuses, at the place of the value that led to it."""
    try:
        yield
    except InvalidInput as error:
        problems.extend(_at(problem, where) for problem in error.problems)


def _at(problem: Problem, where: Location) -> Problem:
    if problem.where is None:
        return replace(problem, where=where)
    why = f"{problem.why} (named at {where})".lstrip()
    return replace(problem, why=why)
