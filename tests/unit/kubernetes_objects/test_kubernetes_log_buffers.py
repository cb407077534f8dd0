"""--log-buffers: servers say what they allocate, and are started again once for it."""

from dataclasses import replace

from tests.rendered_plans import SAMPLE_OPTIONS, documents, of_kind
from tests.sample_plans import tiny_plan


def test_servers_log_their_buffers_only_on_request() -> None:
    quiet = documents(tiny_plan())
    telling = documents(tiny_plan(), replace(SAMPLE_OPTIONS, log_buffers=True))
    (before,), (after,) = (of_kind(one, "ConfigMap").values() for one in (quiet, telling))
    assert after["data"] == {**before["data"], "LLAMA_ARG_LOG_VERBOSITY": "4"}
    hashes = [
        one["spec"]["template"]["metadata"]["annotations"]["gpu-packer/configuration-sha256"]
        for some in (quiet, telling)
        for one in of_kind(some, "Deployment").values()
    ]
    assert len(set(hashes)) == 2
