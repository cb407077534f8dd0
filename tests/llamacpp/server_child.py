"""A real llama-server in a process of its own, up until its standard input ends.

Prints its address once it listens; what llama.cpp prints goes nowhere.
"""

import os
import sys

from xllamacpp import xllamacpp

from tests.llamacpp.oracle_child import check_layout, parsed


def main() -> None:
    """Serve the command line given as arguments."""
    check_layout()
    protocol = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    params = parsed(sys.argv[1:])
    if params is None:
        sys.exit("the command line is refused")
    server = xllamacpp.Server(params)
    print(server.listening_address, file=protocol, flush=True)
    sys.stdin.read()
    # Skip llama.cpp's own clean-up: it takes its time.
    os._exit(0)


if __name__ == "__main__":
    main()
