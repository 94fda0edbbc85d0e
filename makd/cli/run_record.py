"""What it takes to repeat a run, written into its work dir."""

import json
import os
import shlex
import subprocess
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.dist import master_only

import makd
from makd.config import walk_dicts
from makd.files import file_sha256
from makd.targets import AspectTargets

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

RECORD_FILE = 'run.json'
DIFF_FILE = 'uncommitted.diff'
WEIGHTS = ('load_from', 'checkpoint', 'teacher_checkpoint')  # config fields that name a file of weights
PACKAGES = ('makd', 'torch', 'torchvision', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain', 'onedl-mmdetection')


@master_only
def write_run_record(runner: 'Runner') -> None:
    """Write ``run.json`` beside the log of a run, ``WORK_DIR/TIMESTAMP/``; the whole config lies there already.

    It holds the command, whether it resumed, the seed (also one that mmengine drew), the number of ranks, the
    environment and the versions, the git revisions of makd and of the folder that the command runs in, and hashes of
    the targets folders and of the weights that the run begins from or learns from. Python code that differs from a
    revision is in ``uncommitted.diff``.
    """
    from mmengine.utils.dl_utils import collect_env

    folder = Path(runner.log_dir)
    config = os.path.relpath(folder / 'vis_data' / 'config.py')
    record = dict(
        command=shlex.join([Path(sys.executable).name, *sys.argv]),
        started=datetime.now().astimezone().isoformat(timespec='seconds'),
        config=config,
        resumed=bool(runner.cfg.get('resume')),
        seed=runner.seed,
        deterministic=runner.deterministic,
        ranks=runner.world_size,
        threads=int(os.environ.get('OMP_NUM_THREADS', 0)) or None,
        git=git_states(folder / DIFF_FILE),
        targets=_targets(runner.cfg),
        weights=_weights(runner.cfg),
        versions={name: found for name in PACKAGES if (found := _version(name))},
        environment=collect_env(),
    )
    (folder / RECORD_FILE).write_text(json.dumps(record, indent=2, default=str) + '\n', 'utf-8')


def git_states(diff_file: Path) -> list[dict[str, Any]]:
    """Return folder, revision and changed files of the git work trees that a run's code and configs come from.

    These are makd's own, if it is not an installed copy, and that of the current folder.

    Args:
        diff_file: Where to write how Python files differ from the revisions, if any does.
    """
    package = Path(makd.__file__).parent
    source = _git(package, 'ls-files', 'version.py') and _git(package, 'rev-parse', '--show-toplevel')
    tops = dict.fromkeys(top for top in (source, _git(Path.cwd(), 'rev-parse', '--show-toplevel')) if top)
    states, diffs = [], []
    for top in map(Path, tops):
        changed = _git(top, 'status', '--porcelain').splitlines()
        states.append(dict(folder=top.name, revision=_git(top, 'rev-parse', 'HEAD'), changed=changed))
        diffs.append(_run_git(top, 'diff', 'HEAD', '--', '*.py'))  # code and configs; other files may hold secrets
    if any(diffs):
        diff_file.write_bytes(b''.join(diffs))
    return states


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says, as text."""
    return _run_git(folder, *arguments).decode('utf-8', 'backslashreplace').rstrip('\n')


def _run_git(folder: Path, *arguments: str) -> bytes:
    """Return what git says; nothing if it says no, or there is no git."""
    try:
        return subprocess.run(['git', '-C', str(folder), *arguments], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b''


def _targets(cfg: 'Config') -> dict[str, str]:
    """Return the hash of each targets folder that a config names."""
    named = (node.get('targets') for _, node in walk_dicts(cfg.to_dict()))
    folders = dict.fromkeys(folder for folder in named if isinstance(folder, str) and Path(folder).is_dir())
    return {folder: AspectTargets.open(folder).content_hash for folder in folders}


def _weights(cfg: 'Config') -> dict[str, str]:
    """Return the SHA-256 of each file of weights that a config names."""
    named = (node.get(field) for _, node in walk_dicts(cfg.to_dict()) for field in WEIGHTS)
    files = dict.fromkeys(file for file in named if isinstance(file, str) and Path(file).is_file())
    return {file: file_sha256(file) for file in files}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
