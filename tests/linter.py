"""kube-score, a linter of Kubernetes objects that others wrote: built once from its Go module.

``python -m tests.linter`` builds it; ``make control-plane`` does that too. About a minute of
processor time.
"""

from pathlib import Path

from tests.go_programs import cache_folder, compile_program, version_key

_MODULE = Path(__file__).with_name("linter_go")
_REQUIRED = "github.com/zegl/kube-score"


def program() -> Path:
    """Where the program is, or will be once it is built."""
    return cache_folder("kube-score") / version_key(_MODULE, _REQUIRED) / "kube-score"


def build() -> Path:
    """Build the program unless it is there; returns its path."""
    target = program()
    if not target.exists():
        compile_program(_MODULE, f"{_REQUIRED}/cmd/kube-score", target)
    return target


if __name__ == "__main__":
    print(build())
