#!/usr/bin/env bash
# Every fuzz target, or those that are named, for some seconds, two at a time; says executions and
# processor time; exit 1 if any finds something.
set -euo pipefail
seconds=${1:?seconds per target} python=${2:?python}
shift 2
named=$("$python" -c 'from tests.fuzz.targets import TARGETS; print("\n".join(sorted(TARGETS)))')
[ $# -eq 0 ] || named=$(printf '%s\n' "$@")
echo "$named" |
  xargs -P "${FUZZ_AT_ONCE:-2}" -I{} bash -c '
    log=$(mktemp) TIMEFORMAT="%U s of processor time"
    if { time "$0" -m tests.fuzz.fuzz "{}" --seconds "$1" >"$log" 2>&1; } 2>"$log.time"; then
      echo "{}: $(grep -o "Done.*" "$log" | tail -1), $(cat "$log.time")"
    else
      echo "{}: found something"; tail -n 40 "$log"; exit 1
    fi' "$python" "$seconds"
