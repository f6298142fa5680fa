from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from training.distributed import agent, elastic
from training.distributed.recovery import Recovery


def test_it_knows_from_torchruns_options_where_to_call_and_how_long_to_wait() -> None:
    options = elastic.launcher(1, nodes="1:2", endpoint="first:29400", run_id="run")
    assert agent.endpoint_of(options) == "first:29400"
    assert agent.patience_of(options) == 30.0
    assert agent.endpoint_of(elastic.launcher(1)) == ""
    assert agent.patience_of(["--nproc-per-node=1"]) == 60.0


def test_ranks_find_the_allocators_settings_unless_a_person_has_others() -> None:
    found = agent.environment({"HOME": "/h"})
    assert found["GLIBC_TUNABLES"] == "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
    assert found["HOME"] == "/h" and found["GOMP_SPINCOUNT"] == "1000"
    mine = {"GLIBC_TUNABLES": "glibc.malloc.check=3", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "0"}
    own = agent.environment(mine)
    assert own["GLIBC_TUNABLES"] == "glibc.malloc.check=3"
    assert own["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] == "1"


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


def test_the_place_is_held_by_the_machine_whose_address_it_has_and_by_one_process_of_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert agent.hold(f"127.0.0.1:{port}") is None  # another agent was first
    assert agent.hold("192.0.2.1:29400") is None  # another machine's (an address of documents, RFC 5737)
    place = agent.hold(f"[127.0.0.1]:{port}")
    assert place is not None
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_one_that_was_left_out_comes_again_only_where_nobody_trains(tmp_path: Path) -> None:
    heart = elastic.Heart(tmp_path / "starts" / "1", 0, interval=0.02)
    assert not agent.goes_on_without(tmp_path, "b", 0.2)  # nobody was left out
    Recovery(left_out=["b", heart.node]).write(tmp_path)
    assert agent.goes_on_without(tmp_path, "b", 0.2)
    assert not agent.goes_on_without(tmp_path, "c", 0.2)
    assert not agent.goes_on_without(tmp_path, heart.node, 0.2)  # the beats are its own
    heart.stop("done")
    heart._thread.join()
    assert not agent.goes_on_without(tmp_path, "b", 0.2)


def test_it_stays_until_there_is_a_result_or_nobody_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(agent.program, "hold_leash", lambda: None)  # the test's standard input is not a job's
    monkeypatch.setattr(elastic, "BEAT_SECONDS", 0.02)
    assert agent.stay(tmp_path, tmp_path / "result", "b", silent=0.1) == 1
    assert capsys.readouterr().err.strip() == agent.ALONE.format(node="b", seconds=0.1)
    (tmp_path / "result").mkdir()
    assert agent.stay(tmp_path, tmp_path / "result", "b") == 0


def test_it_reads_the_spec_that_its_ranks_are_given(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"work": "w"}))
    assert agent.spec_of(["-m", "module", str(spec)]) == {"work": "w"}
    assert agent.spec_of(["-m", "module"]) == agent.spec_of([]) == {}
