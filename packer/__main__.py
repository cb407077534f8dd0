"""Run the command line as ``python -m packer``."""

from packer.cli.main import main

main()
