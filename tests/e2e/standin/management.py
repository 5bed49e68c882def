#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Stand-in for Edge's Management Server: /v1/servers and /v1/regions in the shapes of Apigee's documentation ("Viewing pod
# details"), and everything that can go wrong with them.
#
#   management.py DIR ADDRESS PORT
#
# DIR/servers.json  the rows; read again for each request
# DIR/mode          how to answer, one word; see MODES
# DIR/user          USER:PASSWORD; not there: nobody is asked
# DIR/tls.pem       certificate and key; there when it is started: https
# DIR/log           a line for each request: path, status

import base64, http.server, json, os, select, ssl, sys, urllib.parse

DIR, ADDRESS, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])

MODES = {
    "good": "filters by pod, region and type",
    "all": "gives all rows whatever is asked",
    "no-regions": "does not know /v1/regions",
    "one-region": "answers 500 for any region but the first",
    "html": "a page to sign in, with status 200",
    "half": "half of the list, with the length of the whole",
    "cut-json": "half of the list, as if it were all",
    "huge": "20 MB",
    "slow": "one byte a second",
    "hang": "takes the request and never answers",
    "redirect": "sends to another place",
    # and any number from 400 to 599: that status
}


def read(name):
    try:
        with open(os.path.join(DIR, name)) as f:
            return f.read().strip()
    except FileNotFoundError:
        return None


def pause(seconds, sock):
    """Waits, unless the caller goes away first."""
    return not select.select([sock], [], [], seconds)[0]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, kind="application/json", length=None, headers=()):
        with open(os.path.join(DIR, "log"), "a") as f:
            f.write(f"{self.path} {status}\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        self.wfile.write(body)

    def allowed(self):
        user = read("user")
        if user is None:
            return True
        return self.headers.get("Authorization") == "Basic " + base64.b64encode(user.encode()).decode()

    def rows(self, query, mode):
        rows = json.loads(read("servers.json"))
        if mode == "all":
            return rows
        for key in ("pod", "region"):
            if key in query:
                rows = [r for r in rows if not isinstance(r, dict) or r.get(key) == query[key][0]]
        if "type" in query:
            rows = [r for r in rows if not isinstance(r, dict) or query["type"][0] in r.get("type", [])]
        return rows

    def regions(self):
        return sorted({r["region"] for r in json.loads(read("servers.json")) if isinstance(r, dict) and "region" in r})

    def do_GET(self):
        mode = read("mode") or "good"
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if mode == "hang":
            while pause(3600, self.connection):
                pass
            self.close_connection = True
        elif mode.isdigit():
            self.answer(int(mode), b'{"code": "%s"}' % mode.encode())
        elif mode == "redirect":
            self.answer(302, b"", headers=[("Location", "http://127.0.0.1/login")])
        elif mode == "html":
            self.answer(200, b"<!DOCTYPE html><html><title>Sign in</title></html>", "text/html")
        elif not self.allowed():
            self.answer(401, b"", headers=[("WWW-Authenticate", 'Basic realm="management"')])
        elif url.path == "/v1/regions" and mode != "no-regions":
            self.answer(200, json.dumps(self.regions()).encode())
        elif url.path != "/v1/servers":
            self.answer(404, b'{"code": "NotFound"}')
        elif mode == "one-region" and query.get("region", self.regions()[:1]) != self.regions()[:1]:
            self.answer(500, b"")
        else:
            self.servers(json.dumps(self.rows(query, mode), indent=2).encode(), mode)

    def servers(self, body, mode):
        if mode == "half":
            self.answer(200, body[: len(body) // 2], length=len(body))
        elif mode == "cut-json":
            self.answer(200, body[: len(body) // 2])
        elif mode == "huge":
            self.answer(200, b"[" + body.strip()[1:-1] + b"," + b" " * (20 << 20) + b"{}]")
        elif mode == "slow":
            self.answer(200, b"", length=len(body))
            for i in range(len(body)):
                if not pause(1, self.connection):
                    return
                self.wfile.write(body[i : i + 1])
        else:
            self.answer(200, body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # callers go away in the middle: that is what is tried


server = Server((ADDRESS, PORT), Handler)
if read("tls.pem"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(DIR, "tls.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
