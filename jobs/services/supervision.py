"""Starting and stopping the processes of one installation together: web, workers, scheduler.

supervisord restarts what dies. It is started as jobs/supervisor_main.py, which ends when its standard input
closes; the processes under it end when theirs does. So nothing is left when `manage.py up` or supervisord is
killed with -9.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_STOP_SECONDS = 25.0


@dataclass(frozen=True)
class Service:
    """One supervised process."""

    name: str
    command: list[str]
    stop_seconds: int


def services() -> list[Service]:
    """What runs in one installation. Two workers, so that an import never waits behind a training."""
    python = sys.executable
    worker = [python, "-m", "celery", "-A", "config", "worker", "--pool", "threads", "--without-gossip"]
    worker += ["--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
    return [
        Service("web", [python, "-m", "gunicorn", "--config", "config/gunicorn_conf.py", "config.wsgi"], 10),
        Service("worker", [*worker, "-Q", "cpu,gpu", "--concurrency", "1", "-n", "worker@%%h"], 15),
        Service("worker-io", [*worker, "-Q", "io", "--concurrency", "1", "-n", "worker-io@%%h"], 15),
        Service("tick", [python, "manage.py", "tick"], 10),
    ]


def write_config(data_dir: Path, base_dir: Path) -> Path:
    """Write supervisord.conf into the data folder and return its path."""
    logs = data_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    parts = [
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        f"logfile={_quoted(logs / 'supervisor.log')}",
        "logfile_maxbytes=1MB",
        "logfile_backups=1",
        f"pidfile={_quoted(data_dir / 'supervisord.pid')}",
        f"directory={_quoted(base_dir)}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        parts.append(
            "user=root"
        )  # as root already (a container): said, so that supervisord does not warn of it
    # One group, because groups are stopped one after another and the members of one together.
    parts += ["", "[group:gyre]", f"programs={','.join(service.name for service in services())}"]
    for service in services():
        parts += [
            "",
            f"[program:{service.name}]",
            f"command={' '.join(_shell(word) for word in service.command)}",
            f"stdout_logfile={_quoted(logs / f'{service.name}.log')}",
            "stdout_logfile_maxbytes=5MB",
            "stdout_logfile_backups=2",
            "redirect_stderr=true",
            "autorestart=true",
            "startsecs=2",
            "startretries=1000000",  # a database that is away for an hour is no reason to give up
            "stopasgroup=true",
            "killasgroup=true",
            f"stopwaitsecs={service.stop_seconds}",
            'environment=GYRE_LEASH="1"',
        ]
    path = data_dir / "supervisord.conf"
    path.write_text("\n".join(parts) + "\n")
    return path


def start(data_dir: Path, base_dir: Path) -> subprocess.Popen[bytes]:
    """Start supervisord with everything under it."""
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.supervisor_main", "-n", "-c", str(write_config(data_dir, base_dir))],
        cwd=base_dir,
        stdin=subprocess.PIPE,  # the leash
        start_new_session=True,  # Ctrl-C reaches the command alone, which stops this group in order
    )


def stop(group: subprocess.Popen[bytes]) -> None:
    """Stop supervisord and everything under it; returns when all are gone."""
    if group.poll() is None:
        group.send_signal(signal.SIGTERM)
    try:
        group.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        group.kill()
        group.wait()
    finally:
        if group.stdin is not None:
            group.stdin.close()


def port_error(host: str, port: int) -> str:
    """A sentence if the web server could not listen there, else an empty string."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return (
                    f"port {port} on {host} is taken by another program (or by Gyre already): stop it, "
                    f"or choose another port: make run PORT={port + 1}"
                )
            if error.errno == errno.EACCES:
                return f"port {port} may not be used by you: choose one above 1023: make run PORT=8000"
            return (
                f"the address {host}:{port} cannot be used ({error.strerror or error}): check HOST and PORT"
            )
    return ""


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%%")


def _shell(word: str) -> str:
    """One word of a supervisord command line, which is split as a shell would."""
    return word if all(sign.isalnum() or sign in "-_./,@%=:" for sign in word) else f'"{word}"'
