#!/usr/bin/env bash
# Writes the health addresses of a network's services as targets for prometheus.yml:
# deploy/prometheus/targets.sh NETWORK_FOLDER > deploy/prometheus/targets.json
set -euo pipefail

folder=${1:?give the folder of a network, as \`causeway network new\` made it}
first=yes
target() { # target JOB INSTANCE SETTINGS_FILE
    local address
    address=$(sed -n 's/^health_listen *= *"\(.*\)"$/\1/p' "$3")
    [ -n "$address" ] || return 0
    [ "$first" = yes ] || printf ',\n'
    first=no
    printf '  {"targets": ["%s"], "labels": {"job": "causeway-%s", "instance": "%s"}}' \
        "$address" "$1" "$2"
}

printf '[\n'
for file in "$folder"/nodes/*/node.toml; do
    [ -e "$file" ] && target ledger "node-$(basename "$(dirname "$file")")" "$file"
done
for kind in gateway fx; do
    for file in "$folder"/participants/*/"$kind".toml; do
        [ -e "$file" ] && target "$kind" "$kind-$(basename "$(dirname "$file")")" "$file"
    done
done
file="$folder/reconciliation/reconciliation.toml"
[ -e "$file" ] && target reconciliation reconciliation "$file"
printf '\n]\n'
