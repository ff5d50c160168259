"""One peer as a long-lived process: commands on standard input, an answer a line on standard output.

    python contender.py LIBRARY PRECISION THREADS FOLDER

    score N CALLS      seconds of each call, after one that is not counted
    outputs N FILE     logits and scores of the first N rows, f32, written to FILE
    peak               most memory held so far, bytes
"""

import json
import os
import resource
import sys
import time

started = time.perf_counter()


def make(library, data, precision, threads):
    from data import Layers

    widths = data.facts["widths"]
    if library in ("torch-eager", "torch-compile"):
        import peer_torch

        layers = Layers(data)
        return peer_torch.Peer(layers, precision, threads, compiled=library == "torch-compile")
    if library == "onnxruntime":
        import peer_onnxruntime

        return peer_onnxruntime.Peer(Layers(data), precision, threads, widths)
    if library == "openvino":
        import peer_openvino

        return peer_openvino.Peer(Layers(data), precision, threads, widths)
    raise SystemExit(f"no peer is called {library}")


def main():
    library, precision, threads, folder = sys.argv[1:5]
    # Libraries print to standard output as they please: answers go where nothing else does.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        from data import Data

        data = Data(folder)
        peer = make(library, data, precision, int(threads))
        inputs = data.inputs()
        first = data.facts["cold_candidates"]
        peer.prepare(inputs, first)
        ready = time.perf_counter()
        peer.score(first)
        now = time.perf_counter()
    except Exception as error:  # noqa: BLE001: whatever a library throws is why it is absent
        reason = " ".join(str(error).split())
        print("absent", f"{type(error).__name__}: {reason}"[:300], file=answers)
        return
    hello = {"settings": peer.settings, "build_s": ready - started, "first_score_s": now - ready}
    print("ready", json.dumps(hello), file=answers)
    prepared = {first}
    for line in sys.stdin:
        command, *arguments = line.split()
        try:
            if command in ("score", "outputs") and int(arguments[0]) not in prepared:
                peer.prepare(inputs, int(arguments[0]))
                prepared.add(int(arguments[0]))
            if command == "score":
                n, calls = map(int, arguments)
                peer.score(n)
                times = [peer.score(n) for _ in range(calls)]
                print("times", *times, file=answers)
            elif command == "outputs":
                logits, scores = peer.outputs(int(arguments[0]))
                with open(arguments[1], "wb") as file:
                    file.write(logits.astype("<f4").tobytes())
                    file.write(scores.astype("<f4").tobytes())
                print("written", file=answers)
            elif command == "peak":
                print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=answers)
            else:
                print("error", f"no command is called {command}", file=answers)
        except Exception as error:  # noqa: BLE001: the other contenders go on
            print("error", " ".join(str(error).split())[:300], file=answers)


main()
