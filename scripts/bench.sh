#!/usr/bin/env bash
# Measures speed: operations per CPU-second, the parts, instructions an operation, memory. Usage: scripts/bench.sh [OUT]
# Times swing by 10 % and more between runs of one machine; instructions an operation repeat to five digits, so
# compare those when a change is to be judged. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
printed=${1:-/dev/null}
exec > >(tee "$printed")
part() { printf '\n== %s\n' "$*"; }

part "operations per CPU-second"
cargo bench --quiet --bench throughput

part "event queue: nanoseconds a pop and push"
cargo bench --quiet --bench queue

part "network: nanoseconds a message"
cargo bench --quiet --bench network

part "gossip: virtual seconds per CPU-second"
cargo bench --quiet --bench gossip

part "sweeps: a million write-read pairs; 180 runs of a hundred thousand operations, without and with a judge"
cargo build --release --quiet
swept_to=$(mktemp -d)
swept() {
  echo "$*"
  (TIMEFORMAT='  %R s, %U s of CPU time'; time ./target/release/dynamo-sim sweep "$@" --quiet --force --out "$swept_to") 2>&1
}
swept benches/pairs.json -j 1
swept benches/sweep.json --set measure.judge=false
swept benches/sweep.json
rm -rf "$swept_to"

# The bench's own binary, so that what is counted is what was timed.
bench=$(cargo bench --quiet --bench throughput --no-run --message-format=json 2>/dev/null |
  grep -o '"executable":"[^"]*throughput-[^"]*"' | tail -1 | cut -d'"' -f4)

part "instructions an operation"
if command -v valgrind >/dev/null; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # A run of one virtual second costs what starting costs, too; the second second costs its operations only.
  instructions() {
    valgrind --tool=callgrind --callgrind-out-file="$work/callgrind" "$bench" --once "$1" "$2" \
      >"$work/operations" 2>"$work/log" || { cat "$work/log" >&2; return 1; }
    sed -n 's/^summary: *//p;s/^totals: *//p' "$work/callgrind" | tail -1 | cut -d' ' -f1
  }
  for case in reference everything; do
    first=$(instructions "$case" 1)
    first_operations=$(cat "$work/operations")
    second=$(instructions "$case" 2)
    second_operations=$(cat "$work/operations")
    echo "$case: $(((second - first) / (second_operations - first_operations))) instructions an operation" \
      "($((second - first)) for $((second_operations - first_operations)) operations)"
  done
else
  echo "SKIPPED: valgrind is not installed, so no instructions were counted" >&2
fi

part "peak memory of ten million operations"
if [ -x /usr/bin/time ]; then
  one=$("$bench" --once reference 1)
  for operations in 1000000 10000000; do
    seconds=$(((operations + one - 1) / one))
    /usr/bin/time -f "%M KiB at most, %U s of CPU time" "$bench" --once reference "$seconds" 2>&1 |
      { read -r done_operations; read -r memory; echo "$done_operations operations: $memory"; }
  done
else
  echo "SKIPPED: /usr/bin/time is not installed, so no memory was measured" >&2
fi
