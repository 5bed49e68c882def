#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks TLS in front of ports of 127.0.0.1 and passes on what comes, unchanged.

    tls-front.py CERTIFICATE-AND-KEY

A port, a line, on the input; the port in front of it, a line, on the output. A connection that is closed or
reset behind it is closed or reset in front of it. Ends with its input.
"""
import select
import socket
import ssl
import struct
import sys
import threading


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def carry(client, server):
    """Both ways, until one side is done."""
    while True:
        ready = [client] if client.pending() else select.select([client, server], [], [])[0]
        if server in ready:
            try:
                data = server.recv(65536)
            except ConnectionResetError:
                reset(client)
                return
            if not data:
                try:
                    client.unwrap()
                except OSError:
                    pass
                return
            client.sendall(data)
        elif client in ready:
            data = client.recv(65536)
            if not data:
                return
            server.sendall(data)


def connection(context, client, port):
    try:
        with socket.create_connection(("127.0.0.1", port)) as server:
            client.settimeout(20)
            with context.wrap_socket(client, server_side=True) as tls:
                carry(tls, server)
    except OSError:
        pass
    finally:
        client.close()


def front(context, listener, port):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=connection, args=(context, client, port), daemon=True).start()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    for line in sys.stdin:
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=front, args=(context, listener, int(line)), daemon=True).start()
        print(listener.getsockname()[1], flush=True)


main()
