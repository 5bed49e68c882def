#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Stand-in for Edge's Management Server: /v1/servers and /v1/regions in the shapes of Apigee's documentation ("Viewing pod
# details"), /v1/organizations with what is in their environments (edge_store.py), and everything that can go wrong with them.
#
#   management.py DIR ADDRESS PORT
#
# DIR/servers.json  the rows; read again for each request
# DIR/edge.json     organisations; read for each request, written by each change
# DIR/mode          how to answer: a word of MODES, and behind it a method or parts of the path, for the requests it is for
# DIR/user          USER:PASSWORD; not there: nobody is asked
# DIR/tls.pem       certificate and key; there when it is started: https
# DIR/log           a line for each request: path, status; before them the method unless it is GET
# DIR/port          written when it listens: with PORT 0 the kernel chooses

import base64, http.server, json, os, select, socket, ssl, struct, sys, urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import edge_store

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
    "empty": "status 200 and nothing",
    "blank": "1 MB of blanks",
    "xml": "XML, whatever is asked for",
    "string-ports": "ports as strings, isEnabled as a string",
    "cut": "resets the connection before it has done anything",
    "done-cut": "does what it is told, then resets the connection",
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
            f.write(f"{'' if self.command == 'GET' else self.command + ' '}{self.path} {status}\n")
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

    def mode(self):
        word, *rest = (read("mode") or "good").split()
        for part in rest:
            if part != self.command if part.isupper() else part not in self.path:
                return "good"
        return word

    def do_GET(self):
        mode = self.mode()
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if mode == "hang":
            while pause(3600, self.connection):
                pass
            self.close_connection = True
        elif mode == "cut":
            self.cut()
        elif mode.isdigit():
            self.answer(int(mode), b'{"code": "%s"}' % mode.encode())
        elif mode == "redirect":
            self.answer(302, b"", headers=[("Location", "http://127.0.0.1/login")])
        elif mode == "html":
            self.answer(200, b"<!DOCTYPE html><html><title>Sign in</title></html>", "text/html")
        elif mode == "empty":
            self.answer(200, b"")
        elif mode == "blank":
            self.answer(200, b" " * (1 << 20))
        elif not self.allowed():
            self.answer(401, b"", headers=[("WWW-Authenticate", 'Basic realm="management"')])
        else:
            self.resource(url.path, mode, body)

    do_PUT = do_POST = do_DELETE = do_GET

    def resource(self, path, mode, body):
        parts = [urllib.parse.unquote(p) for p in path.split("/")[1:]]
        if path == "/v1/regions" and mode != "no-regions":
            self.answer(200, json.dumps(self.regions()).encode())
        elif parts[:1] == ["v1"] and parts[1:2] in (["o"], ["organizations"]):
            self.organisations(parts[2:], mode, body)
        elif path != "/v1/servers":
            self.answer(404, b'{"code": "NotFound"}')
        elif mode == "one-region" and self.query.get("region", self.regions()[:1]) != self.regions()[:1]:
            self.answer(500, b"")
        else:
            self.damaged(json.dumps(self.rows(self.query, mode), indent=2).encode(), mode)

    def organisations(self, parts, mode, body):
        try:
            status, answer = store.ask(self.command, parts, body, self.headers.get("Content-Type", ""))
        except edge_store.Refusal as e:
            status, answer = e.status, e.body
        if mode == "done-cut":
            self.cut()
        elif isinstance(answer, bytes):
            kind = "application/zip" if answer[:2] == b"PK" else "application/x-pem-file"
            cut = answer[: len(answer) // 2] if mode in ("half", "cut-json") else answer
            self.answer(status, cut, kind, len(answer) if mode == "half" else None)
        elif mode == "xml" and isinstance(answer, dict) and "host" in answer:
            self.answer(status, edge_store.target_to_xml(answer), "application/xml")
        else:
            if mode == "string-ports" and isinstance(answer, dict) and "port" in answer:
                answer = dict(answer, port=str(answer["port"]), isEnabled=str(answer["isEnabled"]).lower())
            self.damaged(json.dumps(answer, indent=2).encode(), mode, status)

    def cut(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def damaged(self, body, mode, status=200):
        if mode == "half":
            self.answer(status, body[: len(body) // 2], length=len(body))
        elif mode == "cut-json":
            self.answer(status, body[: len(body) // 2])
        elif mode == "huge":
            self.answer(200, b"[" + body.strip()[1:-1] + b"," + b" " * (20 << 20) + b"{}]")
        elif mode == "slow":
            self.answer(200, b"", length=len(body))
            for i in range(len(body)):
                if not pause(1, self.connection):
                    return
                self.wfile.write(body[i : i + 1])
        else:
            self.answer(status, body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # callers go away in the middle: that is what is tried


store = edge_store.Store(os.path.join(DIR, "edge.json"))
server = Server((ADDRESS, PORT), Handler)
if read("tls.pem"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(DIR, "tls.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(os.path.join(DIR, "port.new"), "w") as f:
    f.write(str(server.server_address[1]))
os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
server.serve_forever()
