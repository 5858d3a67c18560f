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
[ "${#missing[@]}" -eq 0 ] && exit 0

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
