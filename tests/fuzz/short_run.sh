#!/usr/bin/env bash
# Every fuzz target for some seconds, two at a time; exit 1 if any finds something.
set -euo pipefail
seconds=${1:?seconds per target} python=${2:?python}
"$python" -c 'from tests.fuzz.targets import TARGETS; print("\n".join(sorted(TARGETS)))' |
  xargs -P 2 -I{} sh -c '
    log=$(mktemp)
    if "$0" -m tests.fuzz.fuzz "{}" --seconds "$1" >"$log" 2>&1; then
      echo "{}: $(grep -o "Done.*" "$log" | tail -1)"
    else
      echo "{}: found something"; tail -n 40 "$log"; exit 1
    fi' "$python" "$seconds"
