"""MIG slices: never more memory than the card divided, found by name and by label."""

import re
from decimal import Decimal

import pytest

from packer.catalogue.gpus import find_gpu, gpu_products, gpus_matching
from packer.catalogue.mig_slices import mig_slices
from packer.domain.basis import Basis
from packer.domain.gpu import mig_slice
from packer.units import GIB

SLICES = mig_slices(gpu_products())


@pytest.mark.parametrize("product", SLICES, ids=lambda product: product.name)
def test_a_slice_has_less_than_its_name_says_and_than_its_part_of_the_card(product: object) -> None:
    found = find_gpu(getattr(product, "name", ""))
    assert found == product == find_gpu(found.label)
    cut = mig_slice(found.label)
    assert cut is not None
    card = find_gpu(cut.card_label)
    assert found.name == f"{card.name} {cut.profile}"
    named = re.fullmatch(r"\d+g\.(\d+)gb", cut.profile)
    assert named is not None
    assert found.allocatable_bytes < int(named[1]) * GIB
    eighths = Decimal(found.bandwidth_bytes_per_second) / card.bandwidth_bytes_per_second * 8
    assert found.allocatable_bytes <= card.nominal_bytes * eighths / 8
    assert found.allocatable_basis is Basis.ESTIMATED
    assert found.is_slice


def test_slices_do_not_change_what_the_names_of_cards_mean() -> None:
    assert find_gpu("A100-80GB").name == "A100 SXM 80GB"
    assert not any(product.is_slice for product in gpus_matching("H100"))
    assert not any(product.is_slice for product in gpu_products())


@pytest.mark.parametrize("label", ["NVIDIA-A100", "NVIDIA-MIG-X", "-MIG-3g.40gb", "a-MIG-0g.5gb"])
def test_labels_of_no_slice(label: str) -> None:
    assert mig_slice(label) is None
