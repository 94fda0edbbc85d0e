"""A Python that starts at once: each command runs in a fork of a process that has imported the heavy packages.

Importing mmpretrain and mmdet takes longer than most commands that the tests run. :class:`WarmPython` gives the path
of a program that is called as ``python`` is; ``sys.executable`` is that program in its forks, so that the commands that
they start are forks, too. A command has its own arguments, folder, environment, streams and exit status. What it cannot
show is which packages a tool imports and what happens while they are imported: tests of that start ``sys.executable``.
"""

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

import shortcuts

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys

def end_command(number, frame):
    os.kill(pid, number)

with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b'-'], [0, 1, 2])
    with server.makefile('rw') as stream:
        request = dict(arguments=sys.argv[1:], folder=os.getcwd(), environment=dict(os.environ))
        stream.write(json.dumps(request) + '\\n')
        stream.flush()
        pid = int(stream.readline())
        signal.signal(signal.SIGTERM, end_command)
        signal.signal(signal.SIGINT, end_command)
        status = int(stream.readline())
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


class WarmPython:
    """Context manager that starts the process and returns the path of the program."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix='warm-')  # a short path, as a socket's has to be
        program = Path(self._folder.name, 'python')
        address = str(program.with_name('socket'))
        program.write_text(CLIENT.format(python=sys.executable, address=address))
        program.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen()
            root = Path(__file__).parents[1]
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(listener.fileno()), str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                cwd=root,
                env={**os.environ, 'PYTHONPATH': str(root), 'HF_HUB_OFFLINE': '1'},
            )
        return str(program)

    def __exit__(self, *error):
        self._process.stdin.close()  # also where pytest is killed
        self._process.wait()
        self._folder.cleanup()


def serve(listener):
    """Run the commands of all clients, until standard input is closed."""
    import mmdet.models  # noqa: F401
    import mmengine.runner  # noqa: F401
    import mmpretrain.models  # noqa: F401
    from matplotlib.backends import backend_agg  # noqa: F401

    for module in pkgutil.walk_packages(makd.__path__, 'makd.'):
        importlib.import_module(module.name)
    shortcuts.install()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        client, _ = listener.accept()
        if os.fork() == 0:
            try:
                listener.close()
                attend(client)
            finally:
                os._exit(1)
        client.close()


def attend(client):
    """Run a client's command in a fork, and tell the client its process and its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(client, 1, 3)
    with client.makefile('rw') as stream:
        request = json.loads(stream.readline())
        pid = os.fork()
        if pid == 0:
            os.close(client.fileno())
            for number, copy in enumerate(streams):
                os.dup2(copy, number)
                os.close(copy)
            end(run(**request))
        for copy in streams:
            os.close(copy)
        print(pid, file=stream, flush=True)
        threading.Thread(target=kill_without_client, args=(client, pid), daemon=True).start()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(status, file=stream, flush=True)
    os._exit(0)


def kill_without_client(client, pid):
    """Kill a command when its client ends before it."""
    client.recv(1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def run(arguments, folder, environment):
    """Do in this process what ``python ARGUMENTS`` does, and return its exit status."""
    import numpy as np

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, name in enumerate(('stdin', 'stdout', 'stderr')):  # the server's may be seekable
        setattr(sys, name, open(number, 'w' if number else 'r', buffering=1, closefd=False))  # noqa: SIM115
    np.random.seed()  # noqa: NPY002, all forks would draw the same numbers
    sys.executable = sys.argv[2]
    is_module = '-m' in arguments[:2]
    sys.argv = [argument for argument in arguments[:2] if argument not in ('-m', '-u')] + arguments[2:]
    first = folder if is_module else str(Path(sys.argv[0]).resolve().parent)
    sys.path[:2] = [first, *filter(None, environment.get('PYTHONPATH', '').split(os.pathsep))]
    try:
        if is_module:
            runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name='__main__')
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def end(status):
    """End this process as the interpreter would, without freeing all modules."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == '__main__':
    import makd  # before mmdet: it stands in for mmcv's operators

    serve(socket.socket(fileno=int(sys.argv[1])))
