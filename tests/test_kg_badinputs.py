"""The attack corpus: each hostile file gets what it must, nothing is fetched and no other file is read."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg.errors import LimitError, NoesisError
from kg.graph import KnowledgeGraph
from kg.load import LoadLimits, load_graph


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[int, list[object]]]:
    """A loopback port and the connections it has seen."""
    seen: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def accept() -> None:
            while not stop.is_set():
                try:
                    seen.append(server.accept()[1])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], seen
        stop.set()
        thread.join()


# The grammar of Turtle has no zero-width space in a name, whatever the corpus hopes for.
RIGHTLY_REFUSED = {"ttl-confusable.ttl"}
NO_TRIPLES = {"ttl-empty.ttl", "ttl-only-comment.ttl"}


@pytest.mark.slow
def test_the_attack_corpus_gets_what_it_must(shared: Path, tmp_path: Path, listener: tuple[int, list[object]]) -> None:
    port, seen = listener
    (tmp_path / "gen.py").write_bytes((shared / "badinputs" / "gen.py").read_bytes())
    subprocess.run(
        [sys.executable, "gen.py"], cwd=tmp_path, env={"BAD_PORT": str(port)}, check=True, capture_output=True
    )
    wrong = []
    limits = LoadLimits(seconds=30, memory_bytes=3 << 30)
    cases = [case for case in json.loads((tmp_path / "manifest.json").read_text()) if not case["big"]]
    for case in cases:
        name, want = case["file"], case["want"]
        graph: KnowledgeGraph | NoesisError
        try:
            graph = load_graph(tmp_path / "files" / name, limits=limits)
        except NoesisError as error:
            graph = error
            if "CANARY" in str(error):
                wrong.append((name, "leaks the canary"))
        if want == "reject" and isinstance(graph, KnowledgeGraph):
            wrong.append((name, "loaded"))
        must_load = want.split()[0] == "accept" and name not in RIGHTLY_REFUSED
        if must_load and isinstance(graph, NoesisError) != (name in NO_TRIPLES):
            wrong.append((name, str(graph)))
        if isinstance(graph, LimitError) and want == "accept":
            wrong.append((name, str(graph)))
        if isinstance(graph, KnowledgeGraph) and any("CANARY" in k or "LOCALFILE" in k for k in graph.dictionary):
            wrong.append((name, "read another file"))
    assert wrong == []
    assert seen == []
    assert len(cases) > 120
