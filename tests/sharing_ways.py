"""One plan and its options for every way of sharing cards, and for what stands around servers.

`WAYS` is what schemas, kustomize and a real API server are asked about.
"""

from collections.abc import Mapping
from dataclasses import replace

from packer.domain.node import Sharing
from packer.domain.rendering import Gateway, MigStrategy
from packer.kubernetes_objects.options import RenderOptions
from packer.plan.plan import Plan
from tests.rendered_plans import SAMPLE_OPTIONS, live
from tests.sample_plans import CARD_UUIDS, SLICE_UUIDS, banded_plan, company_plan, sliced_plan


def _options(sharing: Sharing | None = None, **others: object) -> RenderOptions:
    return replace(SAMPLE_OPTIONS, create_namespace=True, sharing=sharing, **others)  # type: ignore[arg-type]


WAYS: Mapping[str, tuple[Plan, RenderOptions]] = {
    "dra": (company_plan(), _options(Sharing.DRA)),
    "dra-live": (live(company_plan()), _options(Sharing.DRA)),
    "dra-memory": (company_plan(), _options(Sharing.DRA_MEMORY)),
    "dra-memory-live": (live(company_plan()), _options(Sharing.DRA_MEMORY)),
    "whole": (company_plan(), _options(Sharing.WHOLE)),
    "whole-live": (live(company_plan()), _options(Sharing.WHOLE)),
    "hami": (company_plan(), _options(Sharing.HAMI)),
    "hami-live": (live(company_plan()), _options(Sharing.HAMI)),
    "mig-mixed": (sliced_plan(), _options()),
    "mig-single": (sliced_plan(), _options(mig_strategy=MigStrategy.SINGLE)),
    "mig-claims": (sliced_plan(SLICE_UUIDS), _options()),
    "mig-claims-of-cards": (sliced_plan(CARD_UUIDS), _options()),
    "mig-claims-by-profile": (sliced_plan(), _options(Sharing.DRA)),
    "auto": (company_plan(), _options(Sharing.AUTO)),
    "litellm": (banded_plan(), _options(gateway=Gateway.LITELLM, monitoring=True)),
    "httproute": (
        live(banded_plan()),
        _options(
            gateway=Gateway.HTTPROUTE,
            gateway_parent="ingress/llm",
            monitoring=True,
            network_policy=True,
        ),
    ),
}
