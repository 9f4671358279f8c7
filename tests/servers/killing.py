"""Ending what talks to a service, as if killed, at any of its requests."""

import os
import signal
from collections.abc import Callable
from typing import Any

import requests


def killed_at(number: int, call: Callable[[], object], *, changes_only: bool = False) -> bool:
    """Runs ``call`` in a process that is killed at a request to the service: at an even number before it is
    sent, at an odd one after it was done and before the answer is known. Whether that came to be.

    ``changes_only`` counts no GETs: to be killed at one is to be killed after the change before it.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            sent, calls = requests.Session.send, [0]

            def send(session: Any, request: Any, **options: Any) -> Any:
                if changes_only and request.method == "GET":
                    return sent(session, request, **options)
                mine, calls[0] = calls[0], calls[0] + 1
                if mine == number // 2 and number % 2 == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                answer = sent(session, request, **options)
                if mine == number // 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                return answer

            requests.Session.send = send  # type: ignore[method-assign]
            call()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the call failed; see the output"
    return False
