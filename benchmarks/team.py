"""Worker processes, seen from the coordinator: started, asked one at a time, and ended whatever happens."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

WORKER = Path(__file__).parent / "worker.py"
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait for work must not keep a core from the next system
}


class WorkerError(Exception):
    """A worker reported an error or died."""


class Worker:
    """One process that runs one system."""

    def __init__(self, kind: str, name: str, script: Path = WORKER) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(script), kind, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for the coordinator, which ends the workers
        )

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a command; raise WorkerError when there is none."""
        try:
            self._process.stdin.write(json.dumps([command, arguments]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"ended with code {self._process.wait()} during {command!r}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"].splitlines()[0][:100])
        return answer

    def close(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # a command that was never read
                stream.close()


class Team:
    """Workers by name. One that fails is ended, reported and left out from then on."""

    def __init__(self, kind: str, report: Callable[[str], None], script: Path = WORKER) -> None:
        self._kind = kind
        self._script = script
        self._report = report
        self._workers: dict[str, Worker] = {}
        self.left_out: dict[str, str] = {}

    def __enter__(self) -> "Team":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._workers):
            self.dismiss(name)

    @property
    def names(self) -> list[str]:
        """Who is there."""
        return list(self._workers)

    def hire(self, name: str) -> None:
        """Start a worker."""
        self._workers[name] = Worker(self._kind, name, self._script)

    def dismiss(self, name: str) -> None:
        """End a worker."""
        self._workers.pop(name).close()

    def ask(self, name: str, command: str, **arguments: Any) -> dict[str, Any] | None:
        """Return a worker's answer, or None when it is out."""
        if name not in self._workers:
            return None
        try:
            return self._workers[name].ask(command, **arguments)
        except WorkerError as error:
            self.left_out[name] = str(error)
            self._report(f"{name}: left out ({error})")
            self.dismiss(name)
            return None
