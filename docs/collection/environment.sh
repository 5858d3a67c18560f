#!/usr/bin/env bash
# Writes the environment `demo` of this collection from what a demonstration wrote by --info.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
mkdir -p "$here/environments"
umask 077
python3 - "$1" >"$here/environments/demo.bru" <<'PYTHON'
import json
import sys

gateways = json.load(open(sys.argv[1]))["gateways"]
print("vars {")
for label in ("HK", "PH"):
    print(f"  {label}: {gateways[label]['url']}")
    print(f"  {label}_KEY: {gateways[label]['api_key']}")
    print(f"  {label}_MANAGE_KEY: {gateways[label]['manage_key']}")
print("}")
PYTHON
python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["gateways"]["HK"]["ca"])' "$1"
