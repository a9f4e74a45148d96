"""Clients that ask for certificates over connections that stay open: `python -m benchmarks._clients PLAN.json`.

The plan: {"address": [host, port], "root": PEM file, "requests": file of requests, each with a length before it,
"clients": how many}. Without a root it speaks plain HTTP; with "anew" over a new connection for each request.
Says what came back as JSON: how many answers of which status, and the seconds that it took.
"""

import json
import socket
import ssl
import struct
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, cast


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    requests = split(Path(plan["requests"]).read_bytes())
    shares = [requests[number :: plan["clients"]] for number in range(plan["clients"])]
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def work(share: list[bytes]) -> None:
        seen = ask(plan, share)
        with lock:
            statuses.update(seen)

    threads = [threading.Thread(target=work, args=(share,)) for share in shares if share]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"seconds": time.perf_counter() - began, "statuses": statuses}))


def ask(plan: dict[str, Any], requests: list[bytes]) -> Counter[int]:
    """Send each when the one before is answered; the statuses."""
    address = tuple(plan["address"])
    if plan["root"]:
        return converse(address, plan["root"], requests)
    if plan.get("anew"):
        return sum((converse_plainly(address, [one]) for one in requests), Counter[int]())
    return converse_plainly(address, requests)


def split(data: bytes) -> list[bytes]:
    """The requests of a file: each after its length in four octets."""
    found, position = [], 0
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        found.append(data[position + 4 : position + 4 + length])
        position += 4 + length
    return found


def join(requests: list[bytes]) -> bytes:
    """The file for them."""
    return b"".join(struct.pack(">I", len(one)) + one for one in requests)


def converse(address: tuple[str, int], root: str, requests: list[bytes]) -> Counter[int]:
    """Send each when the one before is answered, over one connection; the statuses."""
    plain = socket.create_connection(address, timeout=120)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = ssl.create_default_context(cafile=root)
    context.check_hostname = False
    statuses: Counter[int] = Counter()
    with context.wrap_socket(plain) as secured, secured.makefile("rb", buffering=65536) as stream:
        for request in requests:
            secured.sendall(request)
            statuses[answer(cast("BinaryIO", stream))] += 1
    return statuses


def converse_plainly(address: tuple[str, int], requests: list[bytes]) -> Counter[int]:
    """The same without TLS."""
    statuses: Counter[int] = Counter()
    with socket.create_connection(address, timeout=120) as plain, plain.makefile("rb", buffering=65536) as stream:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            plain.sendall(request)
            statuses[answer(cast("BinaryIO", stream))] += 1
    return statuses


def answer(stream: BinaryIO) -> int:
    """The status of the next answer; its body is passed over."""
    status = int(stream.readline().split()[1])
    length, chunked = 0, False
    while (line := stream.readline().strip().lower()) != b"":
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
        chunked = chunked or (line.startswith(b"transfer-encoding:") and b"chunked" in line)
    if not chunked:
        stream.read(length)
        return status
    while (size := int(stream.readline().split(b";")[0], 16)) > 0:
        stream.read(size + 2)
    stream.readline()
    return status


if __name__ == "__main__":
    main()
