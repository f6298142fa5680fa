from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from training.distributed import agent, elastic


def test_it_knows_from_torchruns_options_where_to_call_and_how_long_to_wait() -> None:
    options = elastic.launcher(1, nodes="1:2", endpoint="first:29400", run_id="run")
    assert agent.endpoint_of(options) == "first:29400"
    assert agent.patience_of(options) == 30.0
    assert agent.endpoint_of(elastic.launcher(1)) == ""
    assert agent.patience_of(["--nproc-per-node=1"]) == 60.0


@pytest.mark.parametrize("host", ["127.0.0.1", "[127.0.0.1]"])
def test_it_ends_once_the_place_where_all_meet_is_silent(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        endpoint = f"{host}:{place.getsockname()[1]}"
        script = "import sys; from training.distributed.agent import watch; watch(sys.argv[1], 0.2)"
        child = subprocess.Popen([sys.executable, "-c", script, endpoint], stderr=subprocess.PIPE)
        for _ in range(3):
            place.accept()[0].close()
        assert child.poll() is None
    _out, said = child.communicate(timeout=20)
    assert child.returncode == 1
    assert said.decode().strip() == f"{agent.LOST.format(endpoint=endpoint)} (no answer for 0.2 s)"
