"""A transfer that is sent until its outcome is known, and never twice; retries.md explains it."""

from gateway import Refused, demo, fresh, order


def send_once(gateway, keep, fields):
    """Sends an order; call it again with the same `keep` after any crash or loss."""
    if "uetr" not in keep:
        # Kept before anything is sent: in production a row of your database.
        keep["uetr"] = fresh()
    uetr = keep["uetr"]
    return gateway.ask("POST", "/v1/transfers", fields | {"uetr": uetr}, key=uetr)


def main():
    gateway, keep = demo(), {}
    first = send_once(gateway, keep, order())
    again = send_once(gateway, keep, order())
    assert again["uetr"] == first["uetr"] and again["created_at"] == first["created_at"]
    print(f"again     {again['uetr']} is one transfer, {again['status']}")
    try:
        send_once(gateway, keep, order("4000.50"))
    except Refused as refused:
        print(f"changed   {refused.code}: another body is another transfer")
    last = gateway.reaches(keep["uetr"])
    print(f"end       {last['status']}")


if __name__ == "__main__":
    main()
