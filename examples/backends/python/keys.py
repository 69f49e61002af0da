"""The gateway's keys. joserfc reads a key set but does not fetch one."""
import json
import sys
import threading
import time
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

from joserfc.jwk import KeySet


class NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Keys:
    """One fetch at a time and 30 s between two; a new set takes the place of the old one."""

    FRESH, USABLE, COOLDOWN, FIRST_RETRY = 300, 900, 30, 1  # seconds

    def __init__(self, url):
        if not url.startswith("https://"):
            raise ValueError("JWKS_URL must be https")
        self.url, self.open = url, build_opener(NoRedirect, ProxyHandler({})).open
        self.lock, self.by_kid, self.fetched, self.tried = threading.Lock(), {}, float("-inf"), float("-inf")

    def find(self, kid):
        with self.lock:
            now = time.monotonic()
            fresh = now - self.fetched < self.FRESH and kid in self.by_kid
            if not fresh and now - self.tried >= (self.COOLDOWN if self.by_kid else self.FIRST_RETRY):
                self.tried = now
                try:
                    self.by_kid, self.fetched = self.fetch(), now
                except Exception as error:
                    print("the gateway's keys cannot be had:", error, file=sys.stderr, flush=True)
            if now - self.fetched >= self.USABLE:
                raise LookupError("no keys")
            return self.by_kid[kid]

    def fetch(self):
        with self.open(self.url, timeout=5) as answer:
            given = json.loads(answer.read(64 << 10))["keys"]
        # An unknown kty would end joserfc's reader, and a key that everybody has is nobody's.
        ours = [k for k in given if k.get("crv") == "Ed25519" and "d" not in k]
        found = {k["kid"]: KeySet.import_key_set({"keys": [k]}).keys[0] for k in ours}
        if len(found) != len(ours):
            raise ValueError("a kid comes twice")
        return found
