"""A transfer whose answer is lost on the way back, and how its outcome is found; timeouts.md explains it."""

import json

from gateway import Unknown, demo, fresh, order


def outcome(gateway, fields, uetr):
    """What became of a request without an answer: look, and if nothing is there send the same."""
    seen = gateway.transfer(uetr)
    if seen is None:
        seen = gateway.ask("POST", "/v1/transfers", fields, key=uetr)
    return seen


def main():
    gateway, uetr = demo(), fresh()
    fields = order(uetr=uetr)
    try:
        # Too short for an answer: whether the request arrived, nobody here can tell.
        body, headers = json.dumps(fields).encode(), {"Idempotency-Key": uetr}
        gateway.open("POST", "/v1/transfers", body, headers, timeout=0.01).close()
        print("lost      no answer was lost this time")
    except OSError as error:
        print(f"lost      {error}")
    found = outcome(gateway, fields, uetr)
    print(f"found     {found['uetr']} is {found['status']}")
    print(f"end       {gateway.reaches(uetr)['status']}")
    nobody = demo()
    nobody.url = "https://localhost:1"
    try:
        nobody.ask("GET", "/v1/balances", patience=1)
    except Unknown as unknown:
        print(f"away      {unknown}")


if __name__ == "__main__":
    main()
