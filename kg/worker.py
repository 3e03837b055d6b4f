"""A worker process with limits: untrusted text is parsed in one, so that a hang or a crash costs only the worker.

The worker runs one of this package's `*_worker` modules. It limits its own memory at start; the wall clock is watched
here, and a worker that overstays is killed. Every way a worker can end becomes one of two typed errors.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from kg.errors import LimitError, NoesisError
from kg.frames import read_frame, write_frame

__all__ = ["Worker", "too_late"]

_CRASHES = {"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGTRAP"}


class Worker:
    """One child process running `python -m kg.<module>`, spoken to in frames.

    Args:
        module: the module to run, such as `kg.parse_worker`.
        job: a JSON-able value handed over at start.
        memory_bytes: the most address space the worker may take.
    """

    def __init__(self, module: str, job: object, *, memory_bytes: int) -> None:
        here = str(Path(__file__).resolve().parent.parent)
        path = [here, *(entry for entry in sys.path if entry and entry != here)]
        self.memory_bytes = memory_bytes
        self._process = subprocess.Popen(  # noqa: S603 (this interpreter, a module of this package, no shell)
            [sys.executable, "-P", "-m", module, str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "RUST_BACKTRACE": "0"},
        )
        self._timer: threading.Timer | None = None
        self._seconds = 0.0
        self._late = False
        self.send(b"J", json.dumps(job).encode())

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def allow(self, seconds: float, *, spent: float = 0.0) -> None:
        """Starts the clock: the worker is killed unless `rest` or another `allow` comes within this many seconds.

        What was `spent` before the worker is taken off them.
        """
        self.rest()
        self._seconds = seconds
        self._timer = threading.Timer(max(0.0, seconds - spent), self._overstay)
        self._timer.daemon = True
        self._timer.start()

    def rest(self) -> None:
        """Stops the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overstay(self) -> None:
        self._late = True
        self._process.kill()

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Sends a frame; a worker that is gone is noticed at the next `receive`."""
        try:
            write_frame(_pipe(self._process.stdin), kind, payload)
            _pipe(self._process.stdin).flush()
        except (BrokenPipeError, ConnectionError):
            return

    def receive(self, *, file: str | None = None) -> tuple[bytes, bytes]:
        """The next frame from the worker as (kind, payload).

        Raises:
            LimitError: the worker ran out of its time or memory, or crashed on what it was given.
            NoesisError: the worker could not start.
        """
        frame = read_frame(_pipe(self._process.stdout))
        if frame is not None:
            return frame
        raise self._ending(file)

    def _ending(self, file: str | None) -> NoesisError:
        code = self._process.wait()
        self.close()
        if self._late:
            return too_late(self._seconds, file)
        name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit status {code}"
        if code < 0 and name in _CRASHES:
            return LimitError(
                f"Expected an input that fits in {self.memory_bytes >> 20} MiB and is not nested too deeply (got one "
                f"on which the worker process ended with {name}); flatten it or raise `memory_bytes` in the limits",
                file=file,
            )
        if code == -signal.SIGTERM or name == "SIGKILL":
            return LimitError(
                f"Expected the worker process to finish (got {name}, sent from outside, as a system short of memory "
                "does); free memory or give a smaller input",
                file=file,
            )
        return NoesisError(
            f"Expected the worker process to run (got {name}); check that `import pyoxigraph` works in {sys.executable}"
        )

    def close(self) -> None:
        """Ends the process and closes the pipes; safe to call twice."""
        self.rest()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was still buffered for a worker that is gone
                    continue


def too_late(seconds: float, file: str | None) -> LimitError:
    """The error for what has taken all its seconds."""
    return LimitError(
        f"Expected an end within {seconds:g} s (got none); raise `seconds` in the limits or give a smaller input",
        file=file,
    )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
