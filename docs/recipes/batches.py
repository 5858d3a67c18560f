"""A payroll as one file: sent, followed, its rejects read, the same file again; batches.md explains it."""

import csv
import hashlib
import io
import json

from gateway import demo, fresh

FIELDS = [
    "end_to_end_id", "creditor_agent", "interbank_settlement_amount",
    "interbank_settlement_currency", "payout_method", "purpose",
    "debtor.name", "debtor.account", "creditor.name", "creditor.account",
]


def payroll(run):
    """Six salaries, of which the third has an account of the debtor's that does not exist."""
    text = io.StringIO()
    rows = csv.DictWriter(text, FIELDS)
    rows.writeheader()
    for number in range(1, 7):
        debtor = "+85299999999" if number == 3 else "+85290000001"
        person = ["Ada Testperson", debtor, "Bea Testperson", "+639000000001"]
        salary = [f"{run}-{number}", "CWWAPHM0", f"{400 + number}.00", "PHP", "wallet", "SALA"]
        rows.writerow(dict(zip(FIELDS, salary + person)))
    return text.getvalue().encode()


def upload(gateway, file):
    """The file's digest is its key: the same file is the same batch, for ever."""
    key = hashlib.sha256(file).hexdigest()
    headers = {"Content-Type": "text/csv"}
    return gateway.ask("POST", "/v1/batches?mode=best_effort", file, key=key, headers=headers)


def follow(gateway, batch):
    """Progress as server-sent events, until every row came to an end."""
    with gateway.open("GET", f"/v1/batches/{batch}/events", timeout=60) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                seen = json.loads(line.removeprefix(b"data: "))
                if seen["state"] != "receiving" and not seen["open"]:
                    return seen
    return gateway.ask("GET", f"/v1/batches/{batch}")


def main():
    gateway = demo()
    file = payroll(fresh()[:8])
    batch = upload(gateway, file)
    assert upload(gateway, file)["id"] == batch["id"]
    print("again     the same file is the same batch")
    seen = follow(gateway, batch["id"])
    counts = (f"{count} {status}" for status, count in sorted(seen["counts"].items()) if count)
    print(f"ended     {', '.join(counts)}")
    rejects = gateway.ask("GET", f"/v1/batches/{batch['id']}/rejects").decode()
    for row in csv.DictReader(io.StringIO(rejects)):
        print(f"rejected  row {row['row']}: {row['code']} ({row['reason']}) {row['field']}")


if __name__ == "__main__":
    main()
