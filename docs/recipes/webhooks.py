"""A receiver that skips what it has, verifies under two secrets and replays what it missed; webhooks.md explains it.

It needs the published package `standardwebhooks`.
"""

import http.server
import threading
import time

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway import demo, fresh, order


class Inbox:
    """What a receiver keeps: its secrets, and every message once. In production a table."""

    def __init__(self):
        self.secrets, self.messages, self.twice = [], {}, 0

    def take(self, headers, body):
        """The status of the answer: 204 only when the message is safe."""
        for secret in self.secrets:
            try:
                message = Webhook(secret).verify(body, headers)
                break
            except WebhookVerificationError:
                continue
        else:
            return 401
        number = headers["webhook-id"]
        self.twice += number in self.messages
        self.messages.setdefault(number, message)
        return 204


def serve(inbox):
    """Receives on a free port of this machine until the program ends."""

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = inbox.take({name.lower(): text for name, text in self.headers.items()}, body)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/hooks"


def caught_up(manager, path, patience=60):
    """Waits until every event was taken."""
    end = time.monotonic() + patience
    while (seen := manager.ask("GET", path))["lag"] or seen["waiting"] or not seen["last_event"]:
        assert time.monotonic() < end, seen
        time.sleep(0.2)
    return seen


def remit(gateway):
    uetr = fresh()
    gateway.ask("POST", "/v1/transfers", order(uetr=uetr), key=uetr)
    gateway.reaches(uetr)
    return uetr


def main():
    gateway, manager, inbox = demo(), demo(key="manage_key"), Inbox()
    # Making an endpoint has no Idempotency-Key: if its answer is lost, list, delete, make another.
    made = manager.ask("POST", "/v1/webhooks", {"url": serve(inbox)})
    path = f"/v1/webhooks/{made['id']}"
    inbox.secrets = [made["secret"]]
    uetr = remit(gateway)
    seen = caught_up(manager, path)
    types = [row["type"] for row in inbox.messages.values() if row["data"].get("uetr") == uetr]
    print(f"taken     {', '.join(types)}")

    newer = manager.ask("POST", f"{path}/rotate", {"overlap_s": 3600})["secret"]
    inbox.secrets.append(newer)
    remit(gateway)
    inbox.secrets.pop(0)
    remit(gateway)
    caught_up(manager, path)
    print(f"rotated   {len(inbox.messages)} events, none refused")

    first = min(row["data"]["number"] for row in inbox.messages.values())
    manager.ask("POST", f"{path}/replay", {"from": first})
    seen = caught_up(manager, path)
    print(f"replayed  {inbox.twice} came twice and were skipped; parked {seen['parked']}")
    log = manager.ask("GET", f"{path}/deliveries?limit=500")["deliveries"]
    assert all(row["status"] == "delivered" for row in log), log
    manager.ask("DELETE", path)


if __name__ == "__main__":
    main()
