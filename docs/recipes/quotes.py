"""A price that is shown, kept for as long as it is good, and asked anew once; quotes.md explains it."""

from decimal import Decimal

from gateway import Refused, demo, fresh, order

# A quote that ran out, or that another request used: nothing was sent.
ANEW = {"QUOTE_EXPIRED", "QUOTE_NOT_FOUND", "QUOTE_REUSED", "QUOTE_OVERDRAWN"}


def price(gateway, amount):
    """What it costs that so many PHP arrive; nobody is bound to take it."""
    asked = {
        "creditor_agent": "CWWAPHM0",
        "destination_amount": {"amount": amount, "currency": "PHP"},
        "other_currency": "HKD",
    }
    return gateway.ask("POST", "/v1/quotes", asked, key=fresh())


def debit(quote):
    """All that the debtor is debited: text to Decimal, never to a float."""
    return Decimal(quote["source_amount"]["amount"]) + Decimal(quote["debtor_fees"]["amount"])


def send_at(gateway, quote, amount, worse=Decimal("0.005")):
    """Sends at a quote; if it ran out, at a new one that costs at most half a per cent more."""
    fields, most = order(amount), debit(quote) * (1 + worse)
    del fields["interbank_settlement_amount"]
    for _ in range(3):
        # Each attempt is a transfer of its own, since a refusal is final for its UETR.
        uetr = fresh()
        try:
            body = fields | {"uetr": uetr, "quote": quote["id"]}
            return gateway.ask("POST", "/v1/transfers", body, key=uetr)
        except Refused as refused:
            if refused.code not in ANEW:
                raise
            print(f"anew      {refused.code}")
        quote = price(gateway, amount)
        if debit(quote) > most:
            raise ValueError(f"the price rose to {debit(quote)}: ask the customer")
    raise ValueError("three quotes ran out: be quicker")


def main():
    gateway = demo()
    quote = price(gateway, "4000.00")
    print(f"price     {quote['source_amount']['currency']} {debit(quote)} until {quote['submit_by']}")
    sent = send_at(gateway, quote, "4000.00")
    # Used up: the second transfer is sent at a quote of its own.
    second = send_at(gateway, quote, "4000.00")
    for uetr in (sent["uetr"], second["uetr"]):
        print(f"end       {gateway.reaches(uetr)['status']}")
    at_most = {"amount": "100.00", "currency": "HKD"}
    uetr = fresh()
    try:
        body = order("4000.00", uetr=uetr, instructed_amount=at_most)
        gateway.ask("POST", "/v1/transfers", body, key=uetr)
    except Refused as refused:
        print(f"at most   {refused.code} ({refused.reason})")


if __name__ == "__main__":
    main()
