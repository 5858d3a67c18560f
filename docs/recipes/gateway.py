"""A gateway as a partner's back end calls it: deadlines, retries under one key, and no guess at outcomes.

Python's standard library alone; every recipe of this folder uses it.
"""

import json
import random
import ssl
import sys
import time
import urllib.error
import urllib.request
import uuid

ENDS = {"CREDITED", "REJECTED", "EXPIRED", "CANCELLED", "BURNED"}


class Refused(Exception):
    """The gateway's no, as its problem states it (RFC 9457). Sending the same again changes nothing."""

    def __init__(self, problem):
        super().__init__(f"{problem['code']}: {problem['detail']}")
        self.problem, self.code, self.reason = problem, problem["code"], problem["reason"]


class Unknown(Exception):
    """No answer in time: it may have happened. Ask, or send the same again; never send another."""


class Gateway:
    """One gateway and one API key."""

    def __init__(self, url, key, ca):
        self.url, self.key = url, key
        self.trust = ssl.create_default_context(cafile=ca)

    def open(self, method, path, data=None, headers=None, timeout=10):
        """One request, once."""
        request = urllib.request.Request(self.url + path, data, method=method)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            request.add_header(name, value)
        request.add_header("Authorization", f"Bearer {self.key}")
        return urllib.request.urlopen(request, timeout=timeout, context=self.trust)

    def ask(self, method, path, body=None, key=None, headers=None, patience=60):
        """A request that may be repeated: a GET, one with an Idempotency-Key, or an action."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = {**(headers or {}), **({"Idempotency-Key": key} if key else {})}
        end, wait = time.monotonic() + patience, 0.2
        while True:
            after = None
            try:
                with self.open(method, path, data, headers) as answer:
                    text = answer.read()
                    kind = answer.headers["Content-Type"] or ""
                    return json.loads(text) if "json" in kind and text else text
            except urllib.error.HTTPError as error:
                problem = json.load(error)
                # Nothing was taken for sure, or the first request still runs.
                if problem.get("again") != "same":
                    raise Refused(problem) from None
                after, why = error.headers["Retry-After"], str(problem["code"])
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                why = str(error)
            # By chance up to twice as long, so that all who wait do not come back at once.
            pause = max(float(after or 0), wait) * (1 + random.random())
            if time.monotonic() + pause > end:
                raise Unknown(f"{method} {path}: {why}")
            time.sleep(pause)
            wait = min(wait * 2, 10)

    def transfer(self, uetr):
        """A transfer as it stands; None if this gateway has none of that UETR."""
        try:
            return self.ask("GET", f"/v1/transfers/{uetr}")
        except Refused as refused:
            if refused.code == "TRANSFER_NOT_FOUND":
                return None
            raise

    def reaches(self, uetr, statuses=ENDS, patience=60):
        """Waits until a transfer stands at one of these statuses; webhooks spare you this."""
        end = time.monotonic() + patience
        while True:
            seen = self.transfer(uetr)
            if seen and seen["status"] in statuses:
                return seen
            if time.monotonic() > end:
                raise Unknown(f"{uetr} stands at {seen and seen['status']}")
            time.sleep(0.2)


def order(amount="4000.00", **fields):
    """An order of so many PHP for a made-up person in the Philippines."""
    return {
        "creditor_agent": "CWWAPHM0",
        "payout_method": "wallet",
        "purpose": "GIFT",
        "interbank_settlement_amount": {"amount": amount, "currency": "PHP"},
        "debtor": {"name": "Ada Testperson", "account": "+85290000001"},
        "creditor": {"name": "Bea Testperson", "account": "+639000000001"},
        **fields,
    }


def fresh():
    """A new UETR, case or key."""
    return str(uuid.uuid4())


def demo(label="HK", key="api_key"):
    """A gateway of the demonstration whose file is the first argument."""
    with open(sys.argv[1]) as file:
        own = json.load(file)["gateways"][label]
    return Gateway(own["url"], own[key], own["ca"])
