#!/usr/bin/env bash
# Runs scenarios once each and says which broke. Usage: scripts/scenarios.sh [FOLDER or FILE …]
# Without arguments: all of scenarios/ and scenarios/claims/. Exit status 0: none was broken.
set -uo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet || exit 1
files=()
[ $# -gt 0 ] || set -- scenarios scenarios/claims
for place in "$@"; do
  if [ -d "$place" ]; then files+=("$place"/*.json); else files+=("$place"); fi
done
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
broken=0
for file in "${files[@]}"; do
  begin=$(date +%s%N)
  ./target/release/dynamo-sim run "$file" -j 2 --out "$out/$(basename "$file" .json)" >"$out/log" 2>&1
  status=$?
  took=$((($(date +%s%N) - begin) / 10000000))
  case $status in
    0) verdict="held" ;;
    3) verdict="inconclusive" ;;
    *) verdict="BROKEN (exit status $status)"; broken=$((broken + 1)) ;;
  esac
  printf '%-36s %4d.%02d s  %s\n' "$(basename "$file")" $((took / 100)) $((took % 100)) "$verdict"
  if [ $status -ne 0 ] && [ $status -ne 3 ]; then sed 's/^/    /' "$out/log"; fi
  rm -rf "$out/$(basename "$file" .json)"
done
[ "$broken" -eq 0 ] || { echo "$broken of ${#files[@]} scenarios broke"; exit 1; }
echo "${#files[@]} scenarios, none broken"
