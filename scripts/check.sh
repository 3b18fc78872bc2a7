#!/usr/bin/env bash
# What has to hold before a change goes out: format, lints, documentation, tests.
# The same and more, on a clean checkout: .ci/run
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --check
cargo clippy --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet
cargo test
