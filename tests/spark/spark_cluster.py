"""A Spark cluster on this machine for a trial and for tests: a master, two workers and a Connect
server, each a process, from the package of PyPI that `make spark` installs beside this checkout.

    python tests/spark/spark_cluster.py [PORT]      until Ctrl-C
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

HOME = Path(__file__).parent.parent.parent / ".venv" / "spark" / "pyspark"
_START_S = 120
_SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.driver.memory": "1g",
    "spark.executor.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.autoBroadcastJoinThreshold": "10m",
}


class Cluster:
    """Started where it is entered; `url` is the address of its Connect server."""

    def __init__(self, port: int | None = None, workers: int = 2) -> None:
        self.port = port or _free_port()
        self.url = f"sc://127.0.0.1:{self.port}"
        self._master = f"spark://127.0.0.1:{_free_port()}"
        self._count = workers
        self.workers: list[subprocess.Popen[bytes]] = []
        self._others: list[subprocess.Popen[bytes]] = []
        self._folder = TemporaryDirectory(prefix="perfduck-spark-")

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self._others, *self.workers]:
            _kill(process)
        self._folder.cleanup()

    def add_worker(self) -> None:
        """Start one more."""
        name = f"worker-{len(self.workers)}"
        folder = Path(self._folder.name) / name
        options = ["--host", "127.0.0.1", "--webui-port", "0", "--cores", "1", "--memory", "1g"]
        words = ["deploy.worker.Worker", *options, "--work-dir", str(folder), self._master]
        self.workers.append(self._process(name, words, "Successfully registered with master"))

    def kill_worker(self) -> None:
        """End one, and what it runs, at once and without a word (kill -9)."""
        _kill(self.workers.pop())

    def wait_for_task(self) -> None:
        """Until a task runs in the executors of all workers."""
        logs = [Path(self._folder.name, f"worker-{number}") for number in range(len(self.workers))]
        before = {log: self._tasks(log) for log in logs}
        ended = time.monotonic() + _START_S
        while any(self._tasks(log) <= before[log] for log in logs):
            if time.monotonic() > ended:
                message = "no task runs"
                raise RuntimeError(message)
            time.sleep(0.1)

    def _tasks(self, worker: Path) -> int:
        return sum(log.read_text().count(": Running task") for log in worker.glob("*/*/stderr"))

    def _start(self) -> None:
        host, port = self._master.removeprefix("spark://").split(":")
        words = ["deploy.master.Master", "--host", host, "--port", port, "--webui-port", "0"]
        self._others.append(self._process("master", words, "I have been elected leader"))
        for _ in range(self._count):
            self.add_worker()
        settings = _SETTINGS | {"spark.connect.grpc.binding.port": str(self.port)}
        words = ["deploy.SparkSubmit", "--master", self._master]
        words += [each for pair in settings.items() for each in ("--conf", "=".join(pair))]
        words += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        words.append("spark-internal")
        self._others.append(self._process("connect", words, "Spark Connect server started at"))

    def _process(self, name: str, words: list[str], ready: str) -> subprocess.Popen[bytes]:
        """Start it, and wait until its log says that it is ready."""
        folder = self._folder.name
        places = {
            "SPARK_HOME": str(HOME),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": folder,
        }
        no_rest = {"SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false"}
        small = {} if name == "connect" else {"SPARK_DAEMON_MEMORY": "256m"}
        command = [HOME / "bin" / "spark-class", f"org.apache.spark.{words[0]}", *words[1:]]
        log = Path(folder, f"{name}.log")
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=folder,
                env=os.environ | places | no_rest | small, start_new_session=True,
            )  # fmt: skip
        ended = time.monotonic() + _START_S
        while ready not in (said := log.read_text(errors="replace")):
            if time.monotonic() > ended or process.poll() is not None:
                _kill(process)
                message = f"the {name} did not start: {said[-2000:]}"
                raise RuntimeError(message)
            time.sleep(0.2)
        return process


def missing() -> str | None:
    """What a cluster needs that this machine lacks, in words."""
    if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        return "no java here (Debian, Ubuntu: apt-get install openjdk-17-jre-headless)"
    return None if HOME.exists() else f"no {HOME} (make spark, or make slow)"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With the executors that it started: they are of its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def main() -> None:
    """Run a cluster until Ctrl-C."""
    if reason := missing():
        sys.exit(f"perfduck: make spark: {reason}")
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 15002
    say = sys.stdout.write
    say("starting a master, two workers and a Connect server ...\n")
    sys.stdout.flush()
    with Cluster(port) as cluster:
        say(f"Spark Connect is at {cluster.url}. In another shell:\n\n")
        say(f"  perfduck top '*' --store lake:/ABSOLUTE/PATH --engine {cluster.url}\n\n")
        say("Ctrl-C stops all of it.\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
