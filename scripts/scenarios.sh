#!/usr/bin/env bash
# Runs every scenario once and says which broke. Usage: scripts/scenarios.sh [FOLDER]
# Exit status 0: every expectation that could be judged held.
set -uo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet || exit 1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
broken=0
for file in "${1:-scenarios}"/*.json; do
  begin=$(date +%s.%N)
  ./target/release/dynamo-sim run "$file" --out "$out/$(basename "$file" .json)" --quiet >"$out/log" 2>&1
  status=$?
  seconds=$(echo "$(date +%s.%N) - $begin" | bc)
  case $status in
    0) verdict="held" ;;
    3) verdict="not all judged" ;;
    *) verdict="BROKEN ($status)"; broken=$((broken + 1)); cat "$out/log" ;;
  esac
  printf '%-36s %6.2f s  %s\n' "$(basename "$file")" "$seconds" "$verdict"
done
[ "$broken" -eq 0 ] || { echo "$broken scenarios broke"; exit 1; }
