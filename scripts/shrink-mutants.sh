#!/usr/bin/env bash
# Shrinks a failing run of each seeded bug and prints how small it got: nodes, operations, faults. Usage:
# scripts/shrink-mutants.sh [BUG …]. Takes a few minutes. Exit status 1 if a bug is not found or a median is above 5
# nodes, 10 operations or 4 faults.
set -uo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --features mutants || exit 1
program=./target/debug/dynamo-sim
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# Bug, property, and what it needs besides the built-in profile of check to be seen.
rows='M01 acks_are_honest
M02 acks_are_honest
M03 acks_are_honest cluster.replication.quorum=strict
M04 regular cluster.replication.quorum=strict cluster.replication.r=2 cluster.replication.w=2
M08 no_lost_acknowledged_writes cluster.versioning=dotted
M10 dots_unique cluster.versioning=dotted chaos.wipe={}
M12 convergence cluster.versioning={"last_write_wins":{"tick":"1s"}}
M17 hints_conserved cluster.anti_entropy=off
M20 trees_agree cluster.read_repair=off
M22 convergence cluster.read_repair=off cluster.hints=off cluster.versioning=dotted
M23 read_repair_is_sound
M25 detector_is_sound cluster.detector=gossiped chaos.pause={"every":"5s","for":"3s"}
M27 acks_are_honest chaos.crash={"disk":{"kept":1,"tail_lost":2}}'
missing=0
: >"$out/sizes"
while read -r bug property fields; do
  if [ $# -gt 0 ] && [[ " $* " != *" $bug "* ]]; then continue; fi
  set_=()
  for field in $fields; do set_+=(--set "$field"); done
  found=
  for seed in $(seq 1 30); do
    if "$program" --mutant "$bug" shrink --chaos --seed "$seed" --property "$property" "${set_[@]}" --budget 1500 -j 2 \
      -o "$out/$bug.json" --force >"$out/log" 2>&1; then
      found=$seed
      break
    fi
  done
  if [ -z "$found" ]; then
    echo "$bug $property: not found in 30 seeds"
    missing=$((missing + 1))
    continue
  fi
  # Lines like `  nodes   7 -> 3`.
  size=$(sed -nE 's/^ +(nodes|operations|faults) .*-> ([0-9]+)$/\2/p' "$out/log" | paste -sd' ')
  read -r nodes operations faults <<<"$size"
  echo "$bug $property: seed $found, $nodes nodes, $operations operations, $faults faults"
  echo "$size" >>"$out/sizes"
done <<<"$rows"
for column in 1 2 3; do
  sort -n -k$column,$column "$out/sizes" | awk -v c=$column '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'
done | paste -sd' ' | tee "$out/medians" | awk '{ print "medians: " $1 " nodes, " $2 " operations, " $3 " faults" }'
read -r nodes operations faults <"$out/medians"
[ "$missing" -eq 0 ] && [ "$nodes" -le 5 ] && [ "$operations" -le 10 ] && [ "$faults" -le 4 ]
