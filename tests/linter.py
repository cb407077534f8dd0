"""kube-score, a linter of Kubernetes objects that others wrote: built once from its Go module.

``python -m tests.linter`` builds it; ``make control-plane`` does that too. About a minute of
processor time.
"""

from pathlib import Path

from tests.go_programs import GoProgram

LINTER = GoProgram(
    "kube-score",
    Path(__file__).with_name("linter_go"),
    "github.com/zegl/kube-score",
    "cmd/kube-score",
)

if __name__ == "__main__":
    print(LINTER.build())
