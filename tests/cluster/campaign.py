"""Which cluster tests run: short ones in ``make test``, all of them in ``make cluster-test``."""

import os

import pytest

full_only = pytest.mark.skipif(
    os.environ.get("GPU_PACKER_CLUSTER_TEST") != "full", reason="run by make cluster-test"
)
