"""What jobs of the tests do. Each takes one text and returns one."""

import contextlib
import ctypes
import hashlib
import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mgit.errors import ConflictError

_seen: list[str] = []


def echo(argument: str) -> str:
    return argument


def long_text(length: str) -> str:
    return "x" * int(length)


def no_text(_: str) -> int:
    return 7


def fail(message: str) -> str:
    raise ValueError(message)


def refuse(message: str) -> str:
    raise ConflictError(message, hint="look again")


def leave(_: str) -> str:
    sys.exit(3)


def interrupt(_: str) -> str:
    raise KeyboardInterrupt


def fail_to_say_why(_: str) -> str:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raise MuteError


def shout(_: str) -> str:
    """Prints in every way there is, and says which."""
    print("by print")  # noqa: T201  # that is what it is for
    sys.stderr.write("by stderr, in any script: \u03b1\u03b2\ud800\n")
    os.write(1, b"by descriptor\n")
    ctypes.CDLL(None).puts(b"by C")
    subprocess.run([sys.executable, "-c", "print('by a program')"], check=True)
    return ""


def threads(_: str) -> str:
    """Reports how many threads libraries use that were loaded before, and that will be."""
    import numpy as np
    from threadpoolctl import threadpool_info  # it ships no types

    np.ones((4, 4)) @ np.ones((4, 4))
    pools = {pool["num_threads"] for pool in threadpool_info()}
    return json.dumps([os.environ["OMP_NUM_THREADS"], sorted(pools)])


def torch_threads(_: str) -> str:
    """Reports whether torch was there before, and its threads in this thread and in a new one."""
    was_here = "torch" in sys.modules
    import torch

    with ThreadPoolExecutor(1) as new_thread:
        elsewhere = new_thread.submit(torch.get_num_threads).result()
    return json.dumps([was_here, torch.get_num_threads(), elsewhere])


def digest(seed: str) -> str:
    """Computes what depends on the order in which numbers are added."""
    import numpy as np

    noise = np.random.default_rng(int(seed)).standard_normal((300, 300)).astype(np.float32)
    return hashlib.sha256((noise @ noise.T @ noise).tobytes()).hexdigest()


def spoil(_: str) -> str:
    """Leaves everything that belongs to the whole process in disorder."""
    os.environ["SPOILT"] = "yes"
    del os.environ["PATH"]
    os.chdir("/")
    sys.stdout.close()
    return ""


def look(_: str) -> str:
    """Reports what a job finds around it."""
    with contextlib.suppress(OSError):
        signal.raise_signal(signal.SIGCONT)
    return json.dumps(
        {
            "environment": dict(os.environ),
            "folder": str(Path.cwd()),
            "input": os.read(0, 1).decode() if stat.S_ISCHR(os.fstat(0).st_mode) else "a line",
            "is_stray_found": is_found("stray"),
            "modules": sys.path,
            "process": os.getpid(),
            "session": os.getsid(0),
            "mark": os.environ.get("MGIT_EXECUTION", ""),
        }
    )


def is_found(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def remember(word: str) -> str:
    """Reports all the words that this process was given."""
    _seen.append(word)
    return json.dumps([os.getpid(), _seen])


def meet(argument: str) -> str:
    """Waits until so many jobs are in the folder at once; reports how many there were."""
    folder, number = json.loads(argument)
    own = Path(folder) / str(os.getpid())
    own.touch()
    while len(list(Path(folder).iterdir())) < number:
        time.sleep(0.005)
    return ""


def pass_through(folder: str) -> str:
    """Reports how many jobs are in the folder while this one is."""
    own = Path(folder) / str(os.getpid())
    own.touch()
    time.sleep(0.02)
    number = len(list(Path(folder).iterdir()))
    own.unlink()
    return str(number)


def hang(begun: str) -> str:
    """Ignores whoever asks it to stop; says with a file who it is."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # In a group of its own and without a mark, so that it is found by its session alone.
    child = subprocess.Popen(["sleep", "600"], process_group=0, env={"PATH": os.environ["PATH"]})
    tell(begun, {"child": child.pid})
    while True:
        time.sleep(600)


def hold_the_interpreter(begun: str) -> str:
    """Is busy for years in C code that lets no other thread of Python run."""
    stray = subprocess.Popen(["sleep", "600"], start_new_session=True)
    tell(begun, {"child": stray.pid})
    re.match(r"(a+)+$", "a" * 60 + "b")
    return ""


def tell(begun: str, more: dict[str, object]) -> None:
    partial = Path(f"{begun}.part")
    partial.write_text(json.dumps(json.loads(look("")) | more))
    partial.replace(begun)


def kill_itself(_: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def exit_at_once(code: str) -> str:
    os._exit(int(code))


def leave_a_copy_and_die(_: str) -> str:
    """Dies, while a fork of it lives on and holds all it had open."""
    if os.fork() == 0:
        time.sleep(600)
    return kill_itself("")


def answer_for_the_worker(text: str) -> str:
    """Writes to every socket of its process, as code of a stranger may."""
    for number in range(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                socket.socket(fileno=number).sendall(text.encode())
    return ""


def never_end_a_line(_: str) -> str:
    answer_for_the_worker("x" * (70 << 20))
    return ""


def hang_up(_: str) -> str:
    """Closes what its worker is spoken to with, and lives on."""
    for number in range(3, 100):
        with contextlib.suppress(OSError):
            os.close(number)
    time.sleep(600)
    return ""


def address(_: str) -> str:
    """Reports the address of the cluster that the job runs on."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


def interrupted(_: str) -> str:
    """Is interrupted from outside, as by Ctrl-C."""
    signal.raise_signal(signal.SIGINT)
    return "went on"
