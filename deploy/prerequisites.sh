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
need git command -v git
need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
need chromium command -v chromium
need chromium-driver command -v chromedriver
need python3-venv python3 -c 'import ensurepip, venv'

# What calls the gateway by its OpenAPI document, in a folder of its own; its test says so when it
# cannot be had.
schemathesis() {
    local version=4.32.5
    local folder="${XDG_CACHE_HOME:-$HOME/.cache}/causeway/schemathesis-$version"
    [ -x "$folder/bin/schemathesis" ] && return
    printf 'installing: schemathesis %s\n' "$version"
    python3 -m venv --clear "$folder" &&
        "$folder/bin/pip" install --quiet "schemathesis==$version" && return
    rm -rf "$folder"
    printf 'schemathesis %s cannot be installed here; its test will skip\n' "$version" >&2
}

# What verifies webhooks as a receiver would; its test says so when it cannot be had.
standardwebhooks() {
    local version=1.1.0
    local folder="${XDG_CACHE_HOME:-$HOME/.cache}/causeway/standardwebhooks-$version"
    [ -e "$folder/installed" ] && return
    printf 'installing: standardwebhooks %s\n' "$version"
    python3 -m venv --clear "$folder" &&
        "$folder/bin/pip" install --quiet "standardwebhooks==$version" &&
        touch "$folder/installed" && return
    rm -rf "$folder"
    printf 'standardwebhooks %s cannot be installed here; its test will skip\n' "$version" >&2
}

# The accessibility rules by which the tracking page is judged in Chromium; its test says so when
# they cannot be had. The checksum is the registry's own (sha512 of the package).
axe() {
    local version=4.14.1
    local sum=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
    local folder="${XDG_CACHE_HOME:-$HOME/.cache}/causeway/axe-core-$version"
    local registry="${NPM_CONFIG_REGISTRY:-https://registry.npmjs.org}"
    [ -e "$folder/axe.min.js" ] && return
    printf 'installing: axe-core %s\n' "$version"
    mkdir -p "$folder"
    curl --silent --show-error --fail --location --output "$folder/package.tgz" \
        "${registry%/}/axe-core/-/axe-core-$version.tgz" &&
        printf '%s  %s\n' "$sum" "$folder/package.tgz" | sha512sum --check --quiet &&
        tar -xzf "$folder/package.tgz" -C "$folder" --strip-components=1 package/axe.min.js &&
        rm "$folder/package.tgz" && return
    rm -rf "$folder"
    printf 'axe-core %s cannot be installed here; its test will skip\n' "$version" >&2
}
if [ "${#missing[@]}" -eq 0 ]; then
    schemathesis
    standardwebhooks
    axe
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
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
schemathesis
standardwebhooks
axe
