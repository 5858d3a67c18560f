#!/usr/bin/env bash
# Checks every dependency's licence, source and bans, and its known advisories where a copy of the
# RustSec database lies at $ADVISORY_DB (../shared/data/advisory-db unless set). Installs cargo-deny.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
bin="${CARGO_HOME:-$HOME/.cargo}/bin"
export PATH="$PATH:$bin"
if ! cargo deny --version 2>/dev/null | grep -q " $version\$"; then
    printf 'installing cargo-deny %s\n' "$version"
    # Its own target folder: the project's flags must not recompile the project.
    (cd / && env -u CARGO_TARGET_DIR -u RUSTFLAGS cargo install --quiet --locked "cargo-deny@$version") || {
        printf 'skipped: cargo-deny %s cannot be installed here; dependencies are unchecked\n' "$version" >&2
        exit 0
    }
fi
cargo deny --locked --config .deny.toml check --hide-inclusion-graph bans licenses sources

database="${ADVISORY_DB:-../shared/data/advisory-db}"
if [ ! -d "$database/crates" ]; then
    printf 'skipped: advisories, for %s is no RustSec database\n' "$database"
    exit 0
fi
# cargo-deny reads a repository in a folder named after the database's address.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
copy="$folder/advisory-db-3157b0e258782691"
cp -r "$database" "$copy"
git -C "$copy" init -q
git -C "$copy" add -A
git -C "$copy" -c user.name=causeway -c user.email=causeway@localhost commit -qm copy
# RUSTSEC-2023-0071 is of RSA's private operations; openidconnect verifies with public keys alone (decision 23).
{
    cat .deny.toml
    printf '\n[advisories]\nyanked = "allow"\nignore = ["RUSTSEC-2023-0071"]\ndb-path = "%s"\n' "$folder"
} >"$folder/deny.toml"
cargo deny --locked --offline --config "$folder/deny.toml" check --hide-inclusion-graph advisories
