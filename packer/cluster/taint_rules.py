"""Taints that an administrator puts on devices by rule, beside those that their drivers publish."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packer.cluster.connection import Connection, Json
from packer.cluster.devices import Device, taint_text
from packer.cluster.listing import listed
from packer.cluster.refusals import FORBIDDEN, Refused
from packer.cluster.versions import served_resources

_GROUP = "/apis/resource.k8s.io"
_VERSIONS = ("v1", "v1beta2", "v1alpha3")
"""Of the API, newest first: served by default from 1.37 on, before that where switched on."""
_PLURAL = "devicetaintrules"


@dataclass(frozen=True)
class TaintRule:
    """One DeviceTaintRule that keeps pods away.

    Attributes:
        driver, pool, device: What a device must be called; an empty one is not asked for.
        taint: As ``key=value:effect``.
    """

    driver: str
    pool: str
    device: str
    taint: str

    def matches(self, device: Device) -> bool:
        """Whether the rule is about a device."""
        name = device.id
        pairs = ((self.driver, name.driver), (self.pool, name.pool), (self.device, name.device))
        return all(wanted in ("", given) for wanted, given in pairs)


def read_taint_rules(
    cluster: Connection, served: frozenset[str]
) -> tuple[list[TaintRule], tuple[str, ...]]:
    """Rules of a cluster, and a remark where nobody may tell.

    Args:
        cluster: Where to ask.
        served: What the server keeps under the newest version of the API.

    Raises:
        InvalidInput: The server refuses. Unreachable: It does not answer.
    """
    for version in _VERSIONS:
        api = f"{_GROUP}/{version}"
        names = served if version == _VERSIONS[0] else served_resources(cluster, api)
        if _PLURAL in names:
            return _rules(cluster, f"{api}/{_PLURAL}")
    return [], ()


def with_rules(devices: Iterable[Device], rules: Sequence[TaintRule]) -> list[Device]:
    """Devices with the taints that rules put on them."""
    tainted = []
    for device in devices:
        added = tuple(rule.taint for rule in rules if rule.matches(device))
        tainted.append(replace(device, taints=device.taints + added) if added else device)
    return tainted


def _rules(cluster: Connection, path: str) -> tuple[list[TaintRule], tuple[str, ...]]:
    try:
        return listed(cluster, path, _rule_of), ()
    except Refused as error:
        if error.status != FORBIDDEN:
            raise
        (problem,) = error.problems
        return [], (
            f"DeviceTaintRules are not read, cards under one count as free: {problem.help}",
        )


def _rule_of(item: Json) -> TaintRule | None:
    """The rule of an API object; None if it keeps nobody away or has no selector.

    Source:
        Kubernetes, api/resource/v1/types.go, DeviceTaintRuleSpec: an empty selector matches every
        device, no selector none.
    """
    spec = item["spec"]
    selector, taint = spec.get("deviceSelector"), taint_text(spec["taint"])
    if selector is None or not taint:
        return None
    driver, pool, device = (str(selector.get(one) or "") for one in ("driver", "pool", "device"))
    return TaintRule(driver, pool, device, taint)
