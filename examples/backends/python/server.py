"""A backend that answers the calls of a Sallyport gateway, with joserfc."""
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from inner import verify


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    ending = []
    wbufsize = 8192  # head and body in one packet

    def do_GET(self):
        try:
            (line,) = self.headers.get_all("Authorization", [])  # exactly one
            scheme, token = line.split(" ")
            if scheme != "Bearer":
                raise ValueError("another scheme")
            self.answer(200, {"sub": verify(token)["sub"]})
        except Exception:  # whatever the reason, outside there is one answer
            self.answer(401, {}, ("WWW-Authenticate", 'Bearer error="invalid_token"'))

    def do_POST(self):
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 16))
        self.ending = [("Connection", "close")]  # more may follow
        self.do_GET()

    def answer(self, status, content, *headers):
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers, *self.ending):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):  # request lines are no business of a log
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
