"""The front door a fleet asks for reaches its manifests; rendering may say otherwise."""

from dataclasses import replace

import pytest

from packer import api
from packer.domain.rendering import Gateway
from packer.spec.plan_file import format_plan, read_plan
from tests.sample_plans import company_plan
from tests.small_fleets import fleet, inventory, plan, pool, workload
from tests.small_fleets import gpu as card


@pytest.mark.parametrize(
    ("gateway", "word"),
    [(Gateway.LITELLM, "litellm"), (Gateway.HTTPROUTE, "kind: HTTPRoute")],
)
def test_the_gateway_of_a_fleet_is_planned_kept_and_rendered(gateway: Gateway, word: str) -> None:
    asked = fleet(workload("chat"), gateway=gateway)
    made = plan(asked, inventory(pool("p", card(24_000))))
    assert read_plan(format_plan(made), "plan.json").policy.gateway is gateway
    assert word in "".join(api.manifests(made).values())
    assert word not in "".join(api.manifests(made, gateway=Gateway.NONE).values())


def test_a_plan_without_one_does_not_mention_it() -> None:
    assert '"gateway"' not in format_plan(company_plan())
    with_one = replace(company_plan().policy, gateway=Gateway.LITELLM)
    assert '"gateway": "litellm"' in format_plan(replace(company_plan(), policy=with_one))
