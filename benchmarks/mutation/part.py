"""Parts of the project whose tests must notice every change, and the tests that must notice."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """Modules to change, and where their tests are.

    Attributes:
        most_parameters: Sets of parameters of one test that are tried, evenly chosen.
        most_seconds: Tests of one mutant end after so many seconds of unchanged code.
        keeps_caches: All tests run once before the first trial, and caches stay filled. Only
            where the modules keep nothing themselves and nothing that is kept calls them.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    most_parameters: int = 40
    most_seconds: float = 5.0
    keeps_caches: bool = False

    def files(self, checkout: Path) -> list[str]:
        """The modules of a checkout."""
        return sorted(
            str(path.relative_to(checkout))
            for pattern in self.modules
            for path in checkout.glob(pattern)
            if path.name != "__init__.py"
        )


_PROOFS = (
    "tests/unit/solver/test_certificate_check.py",
    "tests/unit/solver/test_certificate_linear.py",
    "tests/unit/solver/test_certificate_patterns.py",
    "tests/unit/solver/test_certificate_placement.py",
    "tests/unit/solver/test_certificate_search.py",
    "tests/unit/solver/test_dual_feasible.py",
    "tests/unit/solver/test_integer_certificate.py",
    "tests/unit/solver/test_relaxation.py",
)
"""Of many tests that solve something, those that take milliseconds."""

PARTS = {
    "units": Part(
        ("packer/units.py",),
        ("tests/unit/test_units.py", "tests/properties/test_units_properties.py"),
    ),
    "arguments": Part(
        (
            "packer/llamacpp/arguments.py",
            "packer/llamacpp/flag_table.py",
            "packer/llamacpp/flag_values.py",
            "packer/llamacpp/gathered.py",
            "packer/llamacpp/rules.py",
            "packer/llamacpp/settings.py",
            "packer/llamacpp/shorthands.py",
            "packer/llamacpp/sizing.py",
        ),
        (
            "tests/unit/llamacpp/test_llamacpp_argument_edges.py",
            "tests/unit/llamacpp/test_llamacpp_arguments.py",
            "tests/unit/llamacpp/test_llamacpp_command.py",
            "tests/unit/llamacpp/test_llamacpp_flag_table.py",
        ),
    ),
    "audit": Part(
        ("packer/plan/audit*.py",),
        (
            "tests/unit/plan/test_audit.py",
            "tests/unit/plan/test_audit_edges.py",
            "tests/unit/plan/test_plan_demand.py",
        ),
        most_seconds=60.0,
        keeps_caches=True,
    ),
    "bounds": Part(
        (
            "packer/solver/bound.py",
            "packer/solver/certificate.py",
            "packer/solver/dual_feasible.py",
            "packer/solver/relaxation.py",
            "packer/solver/relaxation_result.py",
            "packer/solver/relaxation_rows.py",
        ),
        _PROOFS,
    ),
    "certificate": Part(
        ("packer/solver/certificate_*.py",),
        _PROOFS,
    ),
    "memory": Part(
        ("packer/memory/**/*.py",),
        (
            "tests/unit/memory",
            "tests/properties/test_memory_properties.py",
            # A tiny model of each architecture tells the same in a tenth of the time.
            "--deselect=tests/unit/memory/test_compute_truth.py::test_catalogue_model",
            "--deselect=tests/unit/memory/test_memory_truth.py::test_catalogue_model",
            "--deselect=tests/unit/memory/test_memory_truth.py::test_rows_of_the_catalogue",
        ),
        # Each set is a model of its own, and often the only one whose graph has a line.
        most_parameters=1000,
        most_seconds=12.0,
    ),
    "rollout": Part(
        ("packer/plan/rollout/*.py",),
        (
            "tests/unit/plan/test_rollout_choices.py",
            "tests/unit/plan/test_rollout_order.py",
            "tests/unit/plan/test_rollout_record.py",
            "tests/properties/test_rollout_properties.py",
        ),
        # Trying every order takes seconds, and finds what no small case does.
        most_seconds=20.0,
    ),
}
