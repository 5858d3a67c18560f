"""A client whose every request is signed by HTTP message signatures (RFC 9421); signatures.md explains it.

It needs the package `cryptography` beside the standard library.
"""

import base64
import hashlib
import secrets
import time
import urllib.parse

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway import Gateway, Refused, demo, fresh, order


class Signing(Gateway):
    """A gateway, an API key with its id, and the private key whose public half the gateway has."""

    def __init__(self, other, secret, id, private):
        self.url, self.key, self.trust = other.url, secret, other.trust
        self.id, self.private = id, private

    def open(self, method, path, data=None, headers=None, timeout=10):
        """One request, once, signed."""
        headers = headers or {}
        headers = {**headers, **self.signature(method, path, data, headers)}
        return super().open(method, path, data, headers, timeout)

    def signature(self, method, path, data, headers):
        """The fields that sign one request, once: each try has its own nonce."""
        target = urllib.parse.urlsplit(path)
        covered = {"@method": method, "@path": target.path}
        if target.query:
            covered["@query"] = "?" + target.query
        fields = {}
        if method not in ("GET", "DELETE"):
            digest = base64.b64encode(hashlib.sha256(data or b"").digest()).decode()
            fields["Content-Digest"] = covered["content-digest"] = f"sha-256=:{digest}:"
        if "Idempotency-Key" in headers:
            covered["idempotency-key"] = headers["Idempotency-Key"]
        names = " ".join(f'"{name}"' for name in covered)
        nonce = secrets.token_urlsafe(18)
        parameters = f'({names});created={int(time.time())};nonce="{nonce}";keyid="{self.id}";alg="ed25519"'
        lines = [f'"{name}": {value}' for name, value in covered.items()]
        base = "\n".join([*lines, f'"@signature-params": {parameters}'])
        signed = base64.b64encode(self.private.sign(base.encode())).decode()
        return {**fields, "Signature-Input": f"own={parameters}", "Signature": f"own=:{signed}:"}


def main():
    manager = demo(key="manage_key")
    made = manager.ask("POST", "/v1/api-keys", {"owner": "signer", "scopes": ["read", "send"]})
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = base64.b64encode(public).decode()
    manager.ask("POST", f"/v1/api-keys/{made['id']}/signature-key", {"public_key": public})

    plain = demo()
    plain.key = made["secret"]
    try:
        plain.ask("GET", "/v1/transfers?limit=1")
    except Refused as refused:
        print(f"unsigned  {refused.code}")

    signing = Signing(plain, made["secret"], made["id"], private)
    uetr = fresh()
    transfer = order(uetr=uetr)
    for _ in range(2):
        # The same under one key, each time under a signature of its own: made once.
        signing.ask("POST", "/v1/transfers", transfer, key=uetr)
    print(f"signed    {signing.reaches(uetr)['status']}")

    signing.private = Ed25519PrivateKey.generate()
    try:
        signing.ask("GET", "/v1/transfers?limit=1")
    except Refused as refused:
        print(f"another   {refused.code}")


if __name__ == "__main__":
    main()
