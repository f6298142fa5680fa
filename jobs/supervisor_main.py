"""supervisord on a leash: `python -m jobs.supervisor_main -n -c FILE`.

When standard input closes, because the command that started it is gone, it shuts everything down as after
SIGTERM.
"""

from __future__ import annotations

import os
import signal
import threading


def hold_leash() -> None:
    """Send this process SIGTERM as soon as standard input closes."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="leash", daemon=True).start()


if __name__ == "__main__":
    from supervisor import supervisord

    hold_leash()
    supervisord.main()
