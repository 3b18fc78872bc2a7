#!/usr/bin/env bash
# Plays what the pages in results/reference/ are made of and writes them anew. With --check: says whether they would differ.
# Usage: scripts/reference.sh [--check] [pbs] [ledger]
set -euo pipefail
cd "$(dirname "$0")/.."
export UPDATE_GOLDEN=1
if [ "${1:-}" = --check ]; then
  unset UPDATE_GOLDEN
  shift
fi
[ $# -gt 0 ] || set -- pbs ledger
for page in "$@"; do
  cargo test --release --test "$page" -- --ignored
done
