"""What the embedded server's own process runs: started, by its path, by `nodes.llm.embedded.server`.

It reads what to serve as one line of JSON, answers with one line (its address, or an error), and ends
when its standard input does, so that it never outlives its parent, however that ends.
"""

import json
import os
import sys
from typing import Any


def main() -> None:
    """Serve until standard input ends."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever llama.cpp prints is no answer
    given = json.loads(sys.stdin.readline())
    # Workers that wait spin for long by default, which takes the processor from whatever else computes, and then from
    # each other. These few rounds cost nothing alone; with none, each wait is a system call, and one stream slower.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")  # else it starts a debugger when it aborts
    server = None
    try:
        import xllamacpp

        server = xllamacpp.Server(parameters(xllamacpp, given))
        said = {"address": server.listening_address}
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    answer.write(json.dumps(said) + "\n")
    answer.flush()
    if server is not None:
        sys.stdin.read()
    os._exit(0)  # at once, also in the middle of a reply


def parameters(xllamacpp: Any, given: dict[str, Any]) -> Any:
    """Fill in llama.cpp's parameters."""
    params = xllamacpp.CommonParams()
    params.model.path = given["model"]
    params.model_alias = {"local"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.api_keys = [given["api_key"]]
    params.n_parallel = given["slots"]
    params.n_ctx = given["context"]
    params.kv_unified = True  # slots share the context: one may use all of it while the others need little
    params.cache_idle_slots = False  # idle slots keep their prompts, so that the next one starts from it
    params.slot_save_path = given["saved"]
    params.cache_ram_mib = given["cache_mib"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given["threads"]
    params.cpuparams.poll = params.cpuparams_batch.poll = 0  # the same, where the workers are llama.cpp's own
    params.ui = False
    params.verbosity = -1
    return params


if __name__ == "__main__":
    main()
