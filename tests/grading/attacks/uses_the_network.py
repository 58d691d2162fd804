# Tries: to send the tests away, over every kind of socket.
# Statuses: failed
# Without isolation: it can use the network.
import asyncio
import socket
import urllib.request


def centre(x):
    for family in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(getattr(socket, family), kind)
                print("LEAK: a socket", family)
            except (OSError, AttributeError):
                pass
    for attempt in (socket.socketpair, lambda: urllib.request.urlopen("http://127.0.0.1:1/", timeout=1),
                    asyncio.new_event_loop):
        try:
            attempt()
            print("LEAK: a connection")
        except OSError:
            pass
    return x
