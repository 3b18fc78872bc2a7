#!/usr/bin/env bash
# Plays what the pages and figures in results/reference/ are made of and writes them anew. With --check: fails where they
# would differ. Usage: scripts/reference.sh [--check] [pbs] [ledger] [figure]
set -euo pipefail
cd "$(dirname "$0")/.."
export UPDATE_GOLDEN=1
if [ "${1:-}" = --check ]; then
  unset UPDATE_GOLDEN
  shift
fi
[ $# -gt 0 ] || set -- pbs ledger figure

# The figure of the README.
figure() {
  local out
  out=$(mktemp -d)
  trap 'rm -rf "$out"' RETURN
  cargo run --release --quiet -- sweep scenarios/nrw-tradeoff.json --quiet --out "$out/sweep"
  cargo run --release --quiet -- plot "$out/sweep" --figure trade-off-get --format svg --out "$out/figures" >/dev/null
  if [ -n "${UPDATE_GOLDEN:-}" ]; then
    cp "$out/figures/trade-off-get.svg" results/reference/
  else
    cmp "$out/figures/trade-off-get.svg" results/reference/trade-off-get.svg
  fi
}

for page in "$@"; do
  case $page in
    pbs | ledger) cargo test --release --test "$page" -- --ignored ;;
    figure) figure ;;
    *) echo "unknown page: $page" >&2; exit 2 ;;
  esac
done
