"""Three threads of Python: recursion, JSON, regular expressions, sorting with a key, zlib."""

import json
import random
import re
import threading
import zlib


def fibonacci(number: int) -> int:
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


def work() -> None:
    for _ in range(15):
        fibonacci(17)
        rows = [{"a": [random.random() for _ in range(50)], "b": "x" * 40} for _ in range(60)]
        text = json.dumps(rows)
        json.loads(text)
        re.findall(r"\d+\.(\d)+", text)
        zlib.compress(text.encode())
        sorted(range(20000), key=lambda number: -number)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
