# Shell functions of the tutorials, to be read in by `. docs/tutorials/demo.sh demo.json`.
DEMO_MESSAGES=$(realpath "$(dirname "${BASH_SOURCE[0]}")/messages")
declare -A DEMO # "LABEL NAME": the url, ca, api_key or manage_key of a gateway
while IFS='=' read -r name value; do
    DEMO[$name]=$value
done < <(python3 -c 'import json, sys
for label, gateway in json.load(open(sys.argv[1]))["gateways"].items():
    for name, value in gateway.items():
        print(f"{label} {name}={value}")' "$1")

field() { printf '%s' "${DEMO[$1 $2]}"; } # field LABEL NAME

at() { # at LABEL PATH [ARGUMENTS OF CURL]: one request at a gateway
    local label=$1 path=$2
    shift 2
    curl --silent --show-error --cacert "$(field "$label" ca)" "$(field "$label" url)$path" \
        --header "Authorization: Bearer $(field "$label" api_key)" "$@" | pretty
}

pretty() { # JSON indented for people, everything else as it came
    if [ ! -t 1 ]; then
        cat
        return
    fi
    python3 -c 'import json, sys
text = sys.stdin.read()
try:
    print(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
except ValueError:
    print(text)'
}

pick() { # pick FIELD...: only these fields of an answer, one a line
    python3 -c 'import json, sys
answer = json.load(sys.stdin)
answer = answer.get("transfers", [answer]) if isinstance(answer, dict) else answer
text = lambda own: "{currency} {amount}".format(**own) if isinstance(own, dict) else own
for row in answer:
    print("  ".join(f"{name}={text(row[name])}" for name in sys.argv[1:] if name in row))' "$@"
}

uuid() { cat /proc/sys/kernel/random/uuid; }

remit() { # remit UETR AMOUNT [PAYOUT METHOD [ACCOUNT]]: sends PHP from Hong Kong
    local method=${3:-wallet} account=${4:-+639000000001}
    at HK /v1/transfers --header "Idempotency-Key: $1" --json '{
        "uetr": "'"$1"'", "creditor_agent": "CWWAPHM0", "payout_method": "'"$method"'", "purpose": "GIFT",
        "interbank_settlement_amount": { "amount": "'"$2"'", "currency": "PHP" },
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": "'"$account"'" }
    }' | pick status uetr code detail
}

reaches() { # reaches LABEL UETR WORD: waits until a transfer has a status, ISO status or confirmation
    local seen=
    for _ in $(seq 150); do
        seen=$(at "$1" "/v1/transfers/$2" | pick status iso_status reason)
        case " $seen " in *"=$3 "*) printf '%s\n' "$seen" && return ;; esac
        sleep 0.2
    done
    printf 'still not %s: %s\n' "$3" "$seen" >&2
    return 1
}

message() { # message LABEL FILE NAME=VALUE...: fills a message of ISO 20022 in and sends it
    local label=$1 file=$DEMO_MESSAGES/$2 text
    shift 2
    text=$(sed "s/@NOW@/$(date --utc +%Y-%m-%dT%H:%M:%S+00:00)/" "$file")
    for pair in "$@"; do
        text=${text//@${pair%%=*}@/${pair#*=}}
    done
    printf '%s' "$text" | curl --silent --show-error --cacert "$(field "$label" ca)" \
        "$(field "$label" url)/v1/iso20022" --header "Authorization: Bearer $(field "$label" api_key)" \
        --header "Content-Type: application/xml" --data-binary @-
}
