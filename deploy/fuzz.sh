#!/usr/bin/env bash
# Feeds the targets of tests/targets bytes under libFuzzer and its sanitizer, each for so many seconds:
# deploy/fuzz.sh SECONDS [TARGET...]. New inputs stay in the user's cache; what fails is kept in
# tests/fuzz/artifacts, and belongs into the target's corpus once it is mended.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.13.2
seconds=${1:-60}
shift || true
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
if ! cargo fuzz --version 2>/dev/null | grep -q " $version\$"; then
    printf 'installing cargo-fuzz %s\n' "$version"
    (cd / && env -u CARGO_TARGET_DIR -u RUSTFLAGS cargo install --quiet --locked "cargo-fuzz@$version")
fi
cache="${XDG_CACHE_HOME:-$HOME/.cache}/causeway/fuzz"
export CARGO_TARGET_DIR="$cache/target"
# The sanitizer needs a compiler that takes unstable flags; the stable one does when told so.
export RUSTC_BOOTSTRAP=1
run() { cargo fuzz "$1" --fuzz-dir tests/fuzz any "${@:2}"; }
run build

targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
    for folder in tests/targets/corpus/*/; do targets+=("$(basename "$folder")"); done
fi
failed=0
for target in "${targets[@]}"; do
    mkdir -p "$cache/corpus/$target"
    log=$(mktemp)
    FUZZ_TARGET=$target run run "$cache/corpus/$target" "tests/targets/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        >"$log" 2>&1 || failed=1
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(grep -o 'cov: [0-9]*' "$log" | tail -1)
    printf '%-12s %12s executions, %s\n' "$target" "${executed:-?}" "${covered:-no coverage}"
    grep -E 'panicked at|ERROR: |Test unit written' -A 3 "$log" | head -20 || true
    rm -f "$log"
done
exit "$failed"
