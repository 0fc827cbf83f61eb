"""How much a service bears: pictures a second beside the bare generator, waiting times, overload.

    python -m benchmarks.load RUN                  # 60 seconds a phase
    python -m benchmarks.load RUN --seconds 10 -n 16

The service is a process of its own, and so is the bare loop; those who ask are in this one, on the same
cores. Bare loop and full load come by turns, and the median of their ratios counts. Then: half of what
was borne, asked for at regular times, and how long an answer takes; four times as much, how much of it
is refused with 429, and what memory does; and requests that are none.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks import record

BARE = """
import sys, time, gansmith
model, seconds = gansmith.load(sys.argv[1], "cpu"), float(sys.argv[2])
model.generate(64)
made, begun = 0, time.perf_counter()
while time.perf_counter() - begun < seconds:
    made += len(model.generate(64, seed=made))
print(made / (time.perf_counter() - begun))
"""


class Client:
    """One connection, used again and again."""

    def __init__(self, address: str):
        self.host = urlsplit(address).netloc
        self.connection = http.client.HTTPConnection(self.host, timeout=120)

    def post(self, body: bytes, path: str = "/generate", **headers: str) -> int:
        """The status of the answer, which is read; 0 where the connection was lost."""
        try:
            self.connection.request(
                "POST", path, body, {"Content-Type": "application/json", **headers}
            )
            answer = self.connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return 0


@contextmanager
def service(run: Path, *options: str) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-m", "gansmith", "serve", str(run), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[0], psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def bare(run: Path, seconds: float) -> float:
    """Pictures a second of `Model.generate` alone."""
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(run), str(seconds)], capture_output=True, check=True
    )
    return float(done.stdout)


def body(n: int, seed: int) -> bytes:
    return json.dumps({"n": n, "seed": seed, "format": "npz"}).encode()


def full_load(address: str, n: int, clients: int, seconds: float) -> float:
    """Pictures a second to so many clients, each of whom asks again as soon as it has its answer."""
    made, until = [0] * clients, time.perf_counter() + seconds

    def ask(number: int) -> None:
        client, seed = Client(address), number
        while time.perf_counter() < until:
            seed += clients
            made[number] += n * (client.post(body(n, seed)) == 200)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(made) / (time.perf_counter() - begun)


def at_rate(
    address: str, n: int, rate: float, seconds: float, process: psutil.Process, clients: int = 64
) -> dict[str, Any]:
    """Requests at regular times, whether or not those before them are answered; each client sends
    the next that is due."""
    count, begun = int(rate * seconds), time.perf_counter() + 0.1
    numbers, lock = iter(range(count)), threading.Lock()
    found: list[tuple[int, float]] = []
    memory = [process.memory_info().rss]

    def ask() -> None:
        client = Client(address)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            due = begun + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            status = client.post(body(n, number))
            found.append((status, time.perf_counter() - due))
            if number % max(1, count // 20) == 0:
                memory.append(process.memory_info().rss)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waited = sorted(taken for status, taken in found if status == 200)
    return {
        "requests_per_second": round(rate, 1),
        "statuses": dict(Counter(status for status, _ in found)),
        "median_ms": round(1000 * statistics.median(waited), 1),
        "p99_ms": round(1000 * waited[int(0.99 * (len(waited) - 1))], 1),
        "memory_mb": {
            "first": round(memory[0] / 1e6),
            "half": round(memory[len(memory) // 2] / 1e6),
            "last": round(memory[-1] / 1e6),
            "most": round(max(memory) / 1e6),
        },
    }


def malformed(address: str, count: int, seed: int = 0) -> dict[int, int]:
    """The statuses of requests that are none: cut, changed, of other types, far too large."""
    draw, client, found = random.Random(seed), Client(address), Counter[int]()
    whole = b'{"n": 3, "seed": 7, "labels": null, "text": null, "format": "png"}'
    odd: list[Any] = [None, -1, 2**64, 1e308, "x" * 500, [], {}, [[[]]], True, "\ud800", "\0"]
    for _ in range(count):
        kind = draw.randrange(5)
        if kind == 0:
            content = whole[: draw.randrange(len(whole))]
        elif kind == 1:
            changed = bytearray(whole)
            for _ in range(draw.randint(1, 8)):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            content = bytes(changed)
        elif kind == 2:
            keys = ["n", "seed", "labels", "text", "format", "model", ""]
            content = json.dumps({draw.choice(keys): draw.choice(odd)}).encode()
        elif kind == 3:
            content = draw.randbytes(draw.randrange(200))
        else:
            content = b"[" * draw.choice([1, 1000, 60_000, 70_000])
        path = draw.choice(["/generate", "/invocations", "/ping", "/%2e%2e/x", "/model"])
        found[client.post(content, path)] += 1
    return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3, help="of bare loop and full load")
    parser.add_argument("-n", type=int, default=64, help="pictures of a request")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--malformed", type=int, default=10_000)
    options = parser.parse_args()
    n, seconds = options.n, options.seconds
    with service(options.run) as (address, process):
        full_load(address, n, options.clients, 2)
        pairs = []
        for _ in range(options.rounds):
            process.suspend()  # its threads must not disturb the loop
            alone = bare(options.run, seconds / options.rounds)
            process.resume()
            load = full_load(address, n, options.clients, seconds / options.rounds)
            pairs.append((alone, load))
        borne = statistics.median(load for _, load in pairs) / n
        result: dict[str, Any] = {
            "bare_pictures_per_second": round(statistics.median(a for a, _ in pairs)),
            "served_pictures_per_second": round(statistics.median(b for _, b in pairs)),
            "median_of_ratios": round(statistics.median(b / a for a, b in pairs), 3),
        }
        print(result, flush=True)
        phases: dict[str, Callable[[], Any]] = {
            "half": lambda: at_rate(address, n, borne / 2, seconds, process),
            "fourfold": lambda: at_rate(address, n, 4 * borne, seconds, process, clients=256),
            "malformed": lambda: malformed(address, options.malformed),
            "alive_afterwards": lambda: Client(address).post(body(1, 0)) == 200,
        }
        for name, phase in phases.items():
            result[name] = phase()
            print(name, result[name], flush=True)
    config = vars(options) | {"run": options.run.name}
    print(record.write("load", config, result))


if __name__ == "__main__":
    main()
