"""A record of what is needed to repeat a run, written into its work dir."""

import json
import os
import re
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
from makd.files import atomic_file, file_sha256, write_text
from makd.secrets import masked_text
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
    """Write ``run.json`` to ``WORK_DIR/TIMESTAMP/``, where mmengine has written the log and the whole config.

    It holds the command, whether it resumed, the seed (also one that mmengine drew), the number of ranks, the
    environment and versions, the git revisions of makd and of the current folder, and hashes of the targets folders
    and weights that the run reads. ``uncommitted.diff`` has the Python code that differs from a revision. Secrets are
    masked.
    """
    from mmengine.utils.dl_utils import collect_env

    folder = Path(runner.log_dir)
    targets = (path for path in _named_paths(runner.cfg, 'targets') if Path(path).is_dir())
    weights = (path for path in _named_paths(runner.cfg, *WEIGHTS) if Path(path).is_file())
    record = dict(
        command=shlex.join([Path(sys.executable).name, *map(masked_text, sys.argv)]),
        started=datetime.now().astimezone().isoformat(timespec='seconds'),
        config=os.path.relpath(folder / 'vis_data' / 'config.py'),
        resumed=bool(runner.cfg.get('resume')),
        seed=runner.seed,
        deterministic=runner.deterministic,
        ranks=runner.world_size,
        threads=int(os.environ.get('OMP_NUM_THREADS', 0)) or None,
        git=git_states(folder / DIFF_FILE),
        targets={path: AspectTargets.open(path).content_hash for path in targets},
        weights={path: file_sha256(path) for path in weights},
        versions={name: found for name in PACKAGES if (found := _version(name))},
        environment=collect_env(),
    )
    write_text(folder / RECORD_FILE, json.dumps(record, indent=2, default=str) + '\n')


def git_states(diff_file: Path) -> list[dict[str, Any]]:
    """Return folder, revision and changed files of the git work trees of makd and of the current folder.

    An installed copy of makd has none. The current folder may be somebody else's: no program that its git
    configuration names is run.

    Args:
        diff_file: Where to write the differences of Python files from the revisions, if there are any.
    """
    package = Path(makd.__file__).parent
    source = _git(package, 'ls-files', 'version.py') and _git(package, 'rev-parse', '--show-toplevel')
    tops = dict.fromkeys(top for top in (source, _git(Path.cwd(), 'rev-parse', '--show-toplevel')) if top)
    states, diffs = [], []
    for top in map(Path, tops):
        safely = [*_without_programs(top), '--no-optional-locks']
        changed = _git(top, *safely, 'status', '--porcelain', '--ignore-submodules=all').splitlines()
        states.append(dict(folder=top.name, revision=_git(top, 'rev-parse', 'HEAD'), changed=changed))
        diff = ('diff', '--no-ext-diff', '--no-textconv', '--ignore-submodules=all', 'HEAD', '--')
        changes = _run_git(top, *safely, *diff, '*.py')  # not other files, which may hold secrets
        diffs.append(masked_text(changes.decode('latin-1')).encode('latin-1'))  # whatever the encoding
    if any(diffs):
        with atomic_file(diff_file) as file:
            file.writelines(diffs)
    return states


def _without_programs(top: Path) -> list[str]:
    """Return options of git that switch off the programs which a work tree's own configuration names."""
    names = _git(top, 'config', '--local', '--includes', '--name-only', '--list').splitlines()
    filters = [name for name in names if re.fullmatch(r'filter\..*\.(clean|smudge|process|required)', name)]
    return [option for name in ('core.fsmonitor', *filters) for option in ('-c', f'{name}=')]


def _git(folder: Path, *arguments: str) -> str:
    """Return the output of git, as text."""
    return _run_git(folder, *arguments).decode('utf-8', 'backslashreplace').rstrip('\n')


def _run_git(folder: Path, *arguments: str) -> bytes:
    """Return the output of git; b'' if it fails or is not installed."""
    try:
        return subprocess.run(['git', '-C', str(folder), *arguments], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b''


def _named_paths(cfg: 'Config', *fields: str) -> list[str]:
    """Return the distinct strings that these fields have anywhere in a config."""
    values = (node.get(field) for _, node in walk_dicts(cfg.to_dict()) for field in fields)
    return list(dict.fromkeys(value for value in values if isinstance(value, str)))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
