"""The ``gpu-packer`` command."""


def main() -> None:
    """Run the command line."""
