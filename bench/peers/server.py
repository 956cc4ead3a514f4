"""The other end of bench/python.ts: a peer script ends with `serve(case, ...)` and runs its cases when told to.

    from server import seconds, serve

    def kmeans(file, clusters):
        x = load(file)                                   # what is not to be timed; functools.cache keeps it
        return seconds(lambda: KMeans(clusters).fit(x))

    serve(kmeans)

A line {"run": "kmeans", "with": {"file": ..., "clusters": 100}} is answered by {"seconds": 0.15}; whatever else a case puts
into its dictionary goes back with it. An exception is answered by {"error": ...}, and the peer lives on.
"""
import json
import os
import sys
import time


def seconds(body):
    """Runs body once: {"seconds": ...}."""
    begin = time.perf_counter()
    body()
    return {"seconds": time.perf_counter() - begin}


def serve(*cases):
    by_name = {case.__name__: case for case in cases}
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = by_name[call["run"]](**call["with"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
