"""Docker Compose, to see whether it takes our compose files: built once from its Go module.

``python -m tests.docker_compose`` builds it; ``make control-plane`` does that too. About 90 seconds
of processor time. ``config`` needs no Docker daemon. 5.6.0 is the newest that Go 1.26 builds.
"""

from pathlib import Path

from tests.go_programs import GoProgram

COMPOSE = GoProgram(
    "docker-compose",
    Path(__file__).with_name("compose_go"),
    "github.com/docker/compose/v5",
    "cmd",
    version_variable="internal.Version",
)

if __name__ == "__main__":
    print(COMPOSE.build())
