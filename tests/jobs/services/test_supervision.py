from __future__ import annotations

import configparser
import socket

from jobs.services import supervision


def test_it_writes_a_configuration_that_keeps_and_stops_whole_groups(tmp_path):
    path = supervision.write_config(tmp_path / "with space", tmp_path)
    found = configparser.RawConfigParser()
    found.read(path)
    programs = [name for name in found.sections() if name.startswith("program:")]
    assert programs == ["program:web", "program:worker", "program:worker-io", "program:tick"]
    for program in programs:
        assert found[program]["autorestart"] == "true"
        assert found[program]["stopasgroup"] == found[program]["killasgroup"] == "true"
    assert found["group:gyre"]["programs"] == "web,worker,worker-io,tick"


def test_it_says_how_to_go_on_when_the_port_is_taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sentence = supervision.port_error("127.0.0.1", port)
    assert sentence == (
        f"port {port} on 127.0.0.1 is taken by another program (or by Gyre already): stop it, "
        f"or choose another port: make run PORT={port + 1}"
    )
    assert supervision.port_error("127.0.0.1", port) == ""


def test_it_says_when_the_address_is_not_of_this_machine():
    assert "check HOST and PORT" in supervision.port_error("192.0.2.1", 8000)
