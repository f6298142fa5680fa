"""A small program that follows jobs/program.py and does what its spec says."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from jobs import program


def work(spec: dict[str, Any]) -> None:
    if spec.get("pids"):
        # With a child of its own, as a data loader has: it must go too.
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"])
        Path(spec["pids"]).write_text(f"{os.getpid()} {child.pid}")
    program.progress(1, 4, "quarter")
    program.metric(3, loss=0.25)
    names = ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "HF_HUB_OFFLINE")
    program.log("threads {} spins {} hub {}".format(*(os.environ.get(name) for name in names)))
    program.log(f"secrets {sorted(set(os.environ) & {'SECRET_KEY', 'DATABASE_URL'})}")
    print("plain text", flush=True)
    print('{"not": "an event"}', flush=True)
    if spec.get("refuse"):
        raise program.Refused(spec["refuse"])
    if spec.get("crash"):
        raise RuntimeError(spec["crash"])
    if spec.get("exit"):
        print("about to leave", flush=True)
        os._exit(spec["exit"])
    if spec.get("die"):
        os.kill(os.getpid(), spec["die"])
    for _ in range(int(spec.get("lines", 0))):
        print("x" * 100)
    time.sleep(spec.get("sleep", 0))
    if spec.get("no_result"):
        return
    with program.result_folder(spec["result"]) as folder:
        (folder / "result.json").write_text("{}")
        (folder / "rank").write_text(os.environ.get("WORLD_SIZE", "1"))


if __name__ == "__main__":
    program.main(work)
