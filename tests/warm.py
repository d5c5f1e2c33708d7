"""A Python that has imported torch and NequIP already: jobs of tests begin without these seconds.

The server imports once, then forks a process for each script. What stands in for `python` is a
small client: it hands over its words, folder, environment, limits and streams, passes signals on,
and ends as the script does. If it is killed, so is the script. Whatever else Python is asked for
(`-c`, another path of modules) goes to Python itself.
"""

import atexit
import contextlib
import functools
import gc
import json
import os
import resource
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

CLIENT = """#!{python} -SE
import array, json, os, resource, signal, socket, sys
words = sys.argv[1:]
if not words or not words[0].endswith('.py') or 'PYTHONPATH' in os.environ:
    os.execv({python!r}, [{python!r}, *words])
passed = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP
signal.pthread_sigmask(signal.SIG_BLOCK, passed)  # until the script is begun
limits = [[n, *resource.getrlimit(n)] for n in range(resource.RLIMIT_AS + 1)]
given = json.dumps([words, os.getcwd(), dict(os.environ), limits]).encode()
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0, 1, 2]))]
server.sendmsg([len(given).to_bytes(8, 'big')], streams)
server.sendall(given)
for number in passed:
    signal.signal(number, lambda number, _: server.sendall(bytes([number])))
signal.pthread_sigmask(signal.SIG_UNBLOCK, passed)
status = int(server.recv(16) or b'-9')
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
    os.kill(os.getpid(), -status)
os._exit(status)
"""


@functools.cache
def python():
    """Return the path of a `python` that runs scripts without importing torch anew.

    Its server is started once, and ends soon after the process that asked for it.
    """
    folder = Path(tempfile.mkdtemp(prefix='warm-'))
    path, address = folder / 'python', folder / 'socket'
    path.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    path.chmod(0o755)
    words = [sys.executable, str(Path(__file__).resolve()), str(address), str(os.getpid())]
    server = subprocess.Popen(words, cwd=folder, env=os.environ | {'OMP_NUM_THREADS': '1'})
    end = time.monotonic() + 900
    while not address.exists():
        assert server.poll() is None, 'the warm Python could not import its packages'
        assert time.monotonic() < end, 'the warm Python did not begin'
        time.sleep(0.05)
    return str(path)


def serve(address, owner):
    """Import what jobs need, then fork a keeper for every client, while the owner lives."""
    import ase.io  # noqa: F401
    import lightning  # noqa: F401
    import nequip.data
    import nequip.model
    import nequip.train  # noqa: F401
    import torch  # noqa: F401

    gc.collect()
    gc.freeze()  # whoever is forked would copy what the collector touches
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended keepers are not waited for
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f'{address}.new')
        listening.listen()
        Path(f'{address}.new').rename(address)
        while os.getppid() == owner:
            if not select.select([listening], [], [], 1.0)[0]:
                continue
            client, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                keep(client)
            client.close()
    shutil.rmtree(Path(address).parent)


def keep(client):
    """Start the script of one client, and stand between both until one of them has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(client, 8, 3)
    given = b''
    while len(given) < int.from_bytes(size, 'big'):
        part = client.recv(2**16)
        if not part:  # killed before it had said all
            os._exit(0)
        given += part
    script = os.fork()
    if script == 0:
        client.close()
        become(*json.loads(given), streams)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(script)
    while True:
        ready, _, _ = select.select([ended, client], [], [])
        if ended in ready:
            break
        sent = client.recv(1)
        os.kill(script, sent[0] if sent else signal.SIGKILL)
        if not sent:
            break
    _, status = os.waitpid(script, 0)
    with contextlib.suppress(OSError):  # a client that was killed asks no more
        client.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def become(words, folder, environment, limits, streams):
    """Be the process that the client asked for, to the end of its script."""
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, soft, hard in limits:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(number, (soft, hard))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the server
    sys.argv = words
    sys.path[0] = str(Path(words[0]).resolve().parent)
    status = 0
    try:
        runpy.run_path(words[0], run_name='__main__')
    except SystemExit as exception:
        code = exception.code
        status = code if isinstance(code, int) else int(code is not None)
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # as Python itself would tell it
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # to take all modules apart would cost a second


if __name__ == '__main__':
    serve(sys.argv[1], int(sys.argv[2]))
