"""Which cards pods were given: by the status of their claims, or by HAMi's annotation."""

from collections.abc import Iterable

from packer.cluster.claims import claim_of
from packer.cluster.connection import Connection, Json
from packer.cluster.devices import DeviceId, complete_devices, slice_of
from packer.cluster.listing import listed, served
from packer.cluster.object_kinds import CLAIM
from packer.cluster.pods import pod_of
from packer.cluster.reading import RESOURCE_API


def given_cards(
    cluster: Connection, namespace: str, pods: Iterable[Json]
) -> dict[str, tuple[str, ...]]:
    """Pod UID → UUIDs of its cards; a pod that was given none by name is missing.

    Raises:
        InvalidInput: The server refuses. Unreachable: It does not answer.
    """
    given: dict[str, tuple[str, ...]] = {}
    for item in pods:
        pod = pod_of(item)
        if pod is not None and pod.hami_bytes:
            given[pod.uid] = tuple(pod.hami_bytes)
    if not served(cluster, RESOURCE_API):
        return given
    devices, _ = complete_devices(listed(cluster, f"{RESOURCE_API}/resourceslices", slice_of))
    uuids: dict[DeviceId, str] = {device.id: device.uuid for device in devices}
    for claim in listed(cluster, CLAIM.collection(namespace), claim_of):
        cards = tuple(uuids.get(one.device, one.device.device) for one in claim.holdings)
        for uid in claim.pods:
            given[uid] = given.get(uid, ()) + cards
    return given
