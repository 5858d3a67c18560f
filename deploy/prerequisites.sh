#!/usr/bin/env bash
# Installs what the build, the tests and the demo need and this machine lacks. Debian only;
# elsewhere it says what to install.
set -euo pipefail

missing=()
need() { # need PACKAGE COMMAND...: the package is missing unless the command succeeds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
need gcc command -v cc
need g++ command -v g++
need libclang-dev bash -c 'compgen -G "/usr/lib/llvm-*/lib/libclang.so*"'
need postgresql bash -c 'compgen -G "/usr/lib/postgresql/*/bin/initdb"'
need libxml2-utils command -v xmllint
need curl command -v curl
need unzip command -v unzip
need xfsprogs command -v mkfs.xfs
need e2fsprogs command -v mkfs.ext4
need fiu-utils command -v fiu-ctrl
need faketime bash -c 'compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1"'
need iproute2 command -v ip
need nftables command -v nft
need util-linux command -v nsenter
need softhsm2 command -v softhsm2-util
need git command -v git
# The client that fetches statements, and a server that its test fetches from.
need openssh-client command -v ssh
need openssh-server test -x /usr/sbin/sshd
need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
need chromium command -v chromium
need chromium-driver command -v chromedriver
# For pdftotext alone, which reads reports on paper; its test says so when it cannot be had.
need poppler-utils command -v pdftotext
# For promtool alone, which tests the alert rules; its test says so when it cannot be had.
need prometheus command -v promtool
# For the recipe of signed requests.
need python3-cryptography python3 -c 'import cryptography'
need python3-venv python3 -c 'import ensurepip, venv'

# A Python package in a folder of its own; the tests that use it say so when it cannot be had.
python_package() { # python_package NAME VERSION
    local folder="${XDG_CACHE_HOME:-$HOME/.cache}/causeway/$1-$2"
    [ -e "$folder/installed" ] && return
    printf 'installing: %s %s\n' "$1" "$2"
    python3 -m venv --clear "$folder" &&
        "$folder/bin/pip" install --quiet "$1==$2" &&
        touch "$folder/installed" && return
    rm -rf "$folder"
    printf '%s %s cannot be installed here; its tests will skip\n' "$1" "$2" >&2
}

# The accessibility rules by which the tracking page is judged in Chromium (axe-core 4.12.1, as this
# Python package carries it); its test says so when they cannot be had.
axe() {
    local version=0.1.8
    local sum=fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8
    local folder="${XDG_CACHE_HOME:-$HOME/.cache}/causeway/axe-playwright-python-$version"
    [ -e "$folder/axe.min.js" ] && return
    printf 'installing: axe-core\n'
    printf 'axe-playwright-python==%s --hash=sha256:%s\n' "$version" "$sum" >"$folder.txt"
    python3 -m venv --clear "$folder" &&
        "$folder/bin/pip" download --quiet --no-deps --require-hashes --dest "$folder" \
            --requirement "$folder.txt" &&
        "$folder/bin/python" -m zipfile -e "$folder"/*.whl "$folder" &&
        mv "$folder/axe_playwright_python/axe.min.js" "$folder" && rm "$folder.txt" && return
    rm -rf "$folder" "$folder.txt"
    printf 'axe-core cannot be installed here; its test will skip\n' >&2
}

# What lints /openapi.json; its test says so when it cannot be had.
linter() {
    "$(dirname "$0")/openapi-lint.sh" --install || printf 'its test will skip\n' >&2
}

# What tests use beside the system's packages.
for_tests() {
    # Calls the gateway by its OpenAPI document.
    python_package schemathesis 4.32.5
    # Verifies webhooks as a receiver would.
    python_package standardwebhooks 1.1.0
    # An OpenID Connect provider as a process, for the console's sign-in.
    python_package oidc-provider-mock 0.3.4
    axe
    linter
}

if [ "${#missing[@]}" -eq 0 ]; then
    for_tests
    exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
    printf 'Please install, under the names of your system: %s\n' "${missing[*]}" >&2
    exit 2
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        printf 'Please run as root: apt-get install %s\n' "${missing[*]}" >&2
        exit 2
    }
    as_root=(sudo)
fi
printf 'installing: %s\n' "${missing[*]}"
# Only the server's programs are wanted, not a running cluster.
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
    "${as_root[@]}" mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        printf 'create_main_cluster = false\n' |
        "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
# The same of what would run as a service: it neither starts now nor with the system.
for pair in openssh-server:ssh prometheus:prometheus; do
    if [[ " ${missing[*]} " == *" ${pair%:*} "* ]] && command -v systemctl >/dev/null 2>&1; then
        printf '%s.service is masked; for one that runs: systemctl unmask %s\n' "${pair#*:}" "${pair#*:}"
        "${as_root[@]}" systemctl mask --quiet "${pair#*:}.service" || true
    fi
done
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
for_tests
