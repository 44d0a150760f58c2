"""Keep a child process of a test off the network: put this folder on its PYTHONPATH."""

import socket

LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "", None}
connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo


def guarded_connect(self: socket.socket, address: object) -> None:
    """Connect to this machine, or raise."""
    if isinstance(address, tuple) and address[0] not in LOCAL:
        raise OSError(f"the network is blocked in tests: {address[0]}")
    return connect(self, address)


def guarded_getaddrinfo(host: object, *args: object, **kwargs: object) -> list:
    """Look up this machine's names, or raise."""
    name = host.decode() if isinstance(host, bytes) else host
    if name not in LOCAL and name != socket.gethostname():
        raise OSError(f"the network is blocked in tests: {name}")
    return getaddrinfo(host, *args, **kwargs)


socket.socket.connect = guarded_connect
socket.getaddrinfo = guarded_getaddrinfo
