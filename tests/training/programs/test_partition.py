"""Runs on two machines between which the network breaks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench._survival_runs import Run
from tests import training_kit as kit
from training.distributed import agent, elastic, recovery

pytestmark = pytest.mark.slow

FIRST, SECOND = "10.77.0.1", "10.77.0.2"
PORT = 29400


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    data = kit.write_dataset(tmp_path / "data", kit.messages(101), kit.messages(20, 1))
    base = kit.tiny_encoder(tmp_path / "tiny")
    run = Run(tmp_path / "run", data, base, max_steps=10**6, save_every=50, timeout_s=3)
    yield run
    run.stop()


@pytest.fixture
def cut(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Two machines of one cable, as network namespaces of the names first-PID and second-PID; call it to pull
    the cable."""
    mine = os.getpid()

    def ip(*words: str) -> bool:
        return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0

    if shutil.which("ip") is None or not ip("netns", "add", f"first-{mine}"):
        pytest.skip("this machine lets nobody make network namespaces")
    ends = ("type", "veth", "peer", "name", f"b{mine}", "netns", f"second-{mine}")
    steps = [("netns", "add", f"second-{mine}"), ("link", "add", f"a{mine}", "netns", f"first-{mine}", *ends)]
    for name, device, address in (("first", "a", FIRST), ("second", "b", SECOND)):
        inside = ("-n", f"{name}-{mine}")
        steps.append((*inside, "addr", "add", f"{address}/24", "dev", f"{device}{mine}"))
        steps.append((*inside, "link", "set", f"{device}{mine}", "up"))
        steps.append((*inside, "link", "set", "lo", "up"))
    try:
        if not all(ip(*words) for words in steps):
            pytest.skip("this machine lets nobody join network namespaces by a cable (veth)")
        yield lambda: ip("-n", f"second-{mine}", "link", "set", f"b{mine}", "down") or pytest.fail("not cut")
    finally:
        ip("netns", "del", f"first-{mine}")
        ip("netns", "del", f"second-{mine}")


def test_it_goes_on_without_a_machine_that_the_network_no_longer_reaches(
    run: Run, cut: Callable[[], None]
) -> None:
    options = elastic.launcher(1, nodes="1:2", endpoint=f"{FIRST}:{PORT}", run_id="run")
    mine = os.getpid()
    for name, device, address, hosts in (("first", "a", FIRST, "true"), ("second", "b", SECOND, "false")):
        inside = ("ip", "netns", "exec", f"{name}-{mine}")
        given = [*hosted(options, hosts, read_timeout=3), f"--local-addr={address}"]
        run.start(given, node=name, inside=inside, GLOO_SOCKET_IFNAME=f"{device}{mine}")
    run.wait_for(lambda: any(entry["ranks"] == 2 for entry in run.steps()))
    lines = len(run.steps())
    cut()
    run.wait_for(lambda: any(entry["ranks"] == 1 for entry in run.steps()[lines:]), 120)
    events = recovery.Recovery.read(run.work, run.key()).events
    assert events[-1]["kind"] in ("connection", "lost")
    run.wait_for(lambda: run.agents[1].poll() is not None, 120)
    assert agent.LOST.format(endpoint=f"{FIRST}:{PORT}") in run.tail()


def hosted(options: list[str], hosts: str, read_timeout: int = 30) -> list[str]:
    """The options of a machine that is told whether all meet there; one on a network knows it by its name."""
    told = f"read_timeout={read_timeout},is_host={hosts}"
    return [one.replace("read_timeout=30", told) for one in options]
