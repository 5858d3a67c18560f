#!/usr/bin/env bash
# Fetches real mid rates into a folder (./rates unless given) as the two files that a quoting
# service reads: eurofxref.csv, the European Central Bank's reference rates, and pkr.csv, the
# Pakistani rupee from HM Revenue & Customs' rates of the month (units for one pound, crossed
# through the euro of the same table). Both are for reference; no bank has to deal at them.
set -euo pipefail

folder="${1:-rates}"
ecb="${ECB_URL:-https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip}"
month=$(date -u +%Y-%-m)
hmrc="${HMRC_URL:-https://www.trade-tariff.service.gov.uk/api/v2/exchange_rates/files/monthly_csv_$month.csv}"
command -v unzip >/dev/null || {
    printf 'unzip is missing; install it: apt-get install unzip\n' >&2
    exit 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() { # fetch URL FILE
    curl --fail --silent --show-error --location --max-time 60 --output "$2" "$1" || {
        printf '%s cannot be fetched; look at the connection and try again\n' "$1" >&2
        exit 1
    }
}
fetch "$ecb" "$work/ecb.zip"
fetch "$hmrc" "$work/hmrc.csv"
# The newest day is the first line behind the header.
unzip -p "$work/ecb.zip" >"$work/all.csv"
head -n 2 "$work/all.csv" | tr -d '\r' >"$work/eurofxref.csv"

per_pound() { # per_pound CODE: its units for one pound
    { grep -oE "(^|,)\"?$1\"?,\"?[0-9]+(\.[0-9]+)?" "$work/hmrc.csv" || true; } | tr -d '"' |
        awk -F, 'NR == 1 { print $NF }'
}
rupee=$(per_pound PKR)
euro=$(per_pound EUR)
if [ -z "$rupee" ] || [ -z "$euro" ]; then
    printf '%s has no rate for PKR or EUR; its form may have changed\n' "$hmrc" >&2
    exit 1
fi
units=$(awk -v rupee="$rupee" -v euro="$euro" 'BEGIN { printf "%.4f", rupee / euro }')
printf 'currency,units_per_eur,date\nPKR,%s,%s\n' "$units" "$(date -u +%Y-%m-01)" >"$work/pkr.csv"

mkdir -p "$folder"
mv "$work/eurofxref.csv" "$work/pkr.csv" "$folder/"
printf 'wrote %s/eurofxref.csv (day %s) and %s/pkr.csv (%s PKR for 1 EUR)\n' \
    "$folder" "$(tail -n 1 "$folder/eurofxref.csv" | cut -d, -f1)" "$folder" "$units"
