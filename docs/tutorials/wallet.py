"""A partner wallet's first day with its gateway, step by step; wallet.md says what each prints.

It needs Python's standard library, and `standardwebhooks` to verify webhooks.
"""

import http.server
import json
import queue
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

ENDS = {"CREDITED", "REJECTED", "EXPIRED", "CANCELLED", "BURNED"}


class Refused(Exception):
    """A problem as the gateway states it (RFC 9457)."""

    def __init__(self, problem):
        super().__init__(f"{problem['code']}: {problem['detail']}")
        self.problem = problem


class Gateway:
    """One gateway and one API key."""

    def __init__(self, info, label, key="api_key"):
        own = info["gateways"][label]
        self.url, self.key = own["url"], own[key]
        self.trust = ssl.create_default_context(cafile=own["ca"])

    def open(self, method, path, body=None, idempotency_key=None, timeout=15):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Authorization", f"Bearer {self.key}")
        request.add_header("Content-Type", "application/json")
        if idempotency_key:
            request.add_header("Idempotency-Key", idempotency_key)
        try:
            return urllib.request.urlopen(request, timeout=timeout, context=self.trust)
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error)) from None

    def ask(self, method, path, body=None, idempotency_key=None):
        with self.open(method, path, body, idempotency_key) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def order(quote=None, amount="4000.00"):
    """An order of 4,000 PHP for a wallet in the Philippines."""
    fields = {
        "creditor_agent": "CWWAPHM0",
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": {"name": "Ada Testperson", "account": "+85290000001"},
        "creditor": {"name": "Bea Testperson", "account": "+639000000001"},
    }
    if quote:
        return fields | {"quote": quote}
    return fields | {"interbank_settlement_amount": {"amount": amount, "currency": "PHP"}}


def send(gateway, fields):
    """Sends an order under a UETR of its own, which is its Idempotency-Key too."""
    uetr = str(uuid.uuid4())
    return gateway.ask("POST", "/v1/transfers", fields | {"uetr": uetr}, uetr)


def wait(gateway, uetr, statuses=ENDS, seconds=30):
    """Looks at a transfer until it stands at one of these statuses."""
    end = time.monotonic() + seconds
    while True:
        try:
            seen = gateway.ask("GET", f"/v1/transfers/{uetr}")
        except Refused as refused:
            if refused.problem["code"] != "TRANSFER_NOT_FOUND":
                raise
            seen = {"status": None}
        if seen["status"] in statuses:
            return seen
        if time.monotonic() > end:
            raise TimeoutError(f"{uetr} stands at {seen['status']}")
        time.sleep(0.2)


def shown(money):
    return f"{money['currency']} {money['amount']}"


def quote(gateway):
    asked = {
        "creditor_agent": "CWWAPHM0",
        "destination_amount": {"amount": "4000.00", "currency": "PHP"},
        "other_currency": "HKD",
    }
    told = gateway.ask("POST", "/v1/quotes", asked, str(uuid.uuid4()))
    source, fees = shown(told["source_amount"]), shown(told["debtor_fees"])
    print(f"quote     {source} and {fees} of fees buy {shown(told['destination_amount'])}")
    print(f"          firm until {told['submit_by']}")
    return told["id"]


def transfer(gateway, quoted):
    fields = order(quoted) | {"uetr": str(uuid.uuid4())}
    sent = gateway.ask("POST", "/v1/transfers", fields, fields["uetr"])
    print(f"transfer  {sent['uetr']} is {sent['status']}")
    again = gateway.ask("POST", "/v1/transfers", fields, fields["uetr"])
    assert (again["uetr"], again["created_at"]) == (sent["uetr"], sent["created_at"])
    print("again     the same request is the same transfer: nothing was sent twice")
    return sent


def follow(gateway, sent):
    """Server-sent events of the sender's page: where the money is, whenever that changes."""
    token = sent["tracking_path"].removeprefix("/t/")
    with gateway.open("GET", f"/v1/track/{token}/events", timeout=30) as stream:
        for line in stream:
            if not line.startswith(b"data: "):
                continue
            news = json.loads(line.removeprefix(b"data: "))
            print(f"tracking  {news['stage']}, with the {news['holder']}")
            if news["stage"] == "credited":
                break
    last = wait(gateway, sent["uetr"])
    print(f"settled   {last['ledger_final_at']}, final on the ledger")
    print(f"credited  {last['beneficiary_credited_at']}, {last['iso_status']}")


class Receiver(http.server.BaseHTTPRequestHandler):
    """Puts each message aside as it came and answers 204; who verifies it comes later."""

    inbox = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.inbox.put((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words):
        pass


def webhooks(gateway, manager):
    from standardwebhooks.webhooks import Webhook

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asked = {
        "url": f"http://127.0.0.1:{server.server_port}/hooks",
        "events": ["transfer.settled", "transfer.credited"],
    }
    endpoint = manager.ask("POST", "/v1/webhooks", asked)
    sent = send(gateway, order())
    verifier, seen = Webhook(endpoint["secret"]), set()
    while True:
        headers, body = Receiver.inbox.get(timeout=30)
        message = verifier.verify(body, {name.lower(): text for name, text in headers.items()})
        number = headers["webhook-id"]
        if number in seen or message["data"]["uetr"] != sent["uetr"]:
            continue
        seen.add(number)
        print(f"webhook   {number} {message['type']}, signature verified")
        if message["type"] == "transfer.credited":
            break
    manager.ask("DELETE", f"/v1/webhooks/{endpoint['id']}")
    server.shutdown()


def cancel(gateway):
    # The demonstration's creditor agent leaves this amount undecided.
    sent = send(gateway, order(amount="4000.33"))
    gateway.ask("POST", f"/v1/transfers/{sent['uetr']}/cancel", {"reason": "CUST"})
    last = wait(gateway, sent["uetr"])
    print(f"cancel    {last['status']}, {last['reason']}: nothing moved")


def returned(gateway, creditor_agent):
    sent = send(gateway, order())
    wait(creditor_agent, sent["uetr"], {"CREDITED"})
    back = creditor_agent.ask(
        "POST", f"/v1/transfers/{sent['uetr']}/return", {"reason": "FOCR"}, str(uuid.uuid4())
    )
    last = wait(gateway, back["uetr"])
    amount = shown(last["interbank_settlement_amount"])
    print(f"return    {last['status']}: {amount} came back as a transfer of its own")


def refused(gateway):
    poor = order() | {"debtor": {"name": "Ada Testperson", "account": "+85290000003"}}
    try:
        send(gateway, poor)
    except Refused as said:
        print(f"refused   {said.problem['status']} {said} ({said.problem['reason']})")


def main():
    with open(sys.argv[1]) as file:
        info = json.load(file)
    wallet, creditor_agent = Gateway(info, "HK"), Gateway(info, "PH")
    sent = transfer(wallet, quote(wallet))
    follow(wallet, sent)
    webhooks(wallet, Gateway(info, "HK", "manage_key"))
    cancel(wallet)
    returned(wallet, creditor_agent)
    refused(wallet)


if __name__ == "__main__":
    main()
