"""Every command in the README and the documentation works: page by page, in order, as a reader would type it.

Bash itself expands a page's blocks, in which ``python``, ``make``, ``pip``, ``ray`` and ``srun`` only write down how
they were called. The tools are then run in reduced form (``reduced.py``), in a folder that has the repository's data
and trained students.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
BLOCK = re.compile(r'^( *)```(?:bash|shell)\n(.*?)^ *```$', re.M | re.S)
FILE = re.compile(r'^```\{code-block\} \w+\n:name: (\S+)\n\n(.*?)^```$', re.M | re.S)
PYTHON = re.compile(r'^```python\n(.*?)^```$', re.M | re.S)
# The errors that commands may end with, because their data, students or keys are not in the repository.
DATA = 'coco|oxford_pets|stanford_cars|imagenet|caltech101|emoji_scenes|table1 --launcher'
ABSENT = {
    DATA: 'The data(set does not exist| are not there)',
    'browse.py data/emoji_scenes': 'there is no folder',
    'predict.py data/emoji_scenes': 'there is no checkpoint',
    r'write_questions(?!.*--dry-run)': 'OPENAI_API_KEY',
}


def blocks(page):
    return [code for _, code in BLOCK.findall(page.read_text('utf-8'))]


def test_the_pages_have_commands():
    assert sum(len(blocks(page)) for page in PAGES) > 30


def test_every_fenced_command_is_found():
    """Blocks in other languages are not run, so they must not contain commands."""
    for page in PAGES:
        for language, code in re.findall(r'^ *```(\S*)[^\n]*\n(.*?)^ *```$', page.read_text('utf-8'), re.M | re.S):
            if language not in ('bash', 'shell'):
                assert not re.search(r'^\s*(python|make|bash|pip) ', code, re.M), (page.name, code)


@pytest.fixture(scope='module')
def repository(tmp_path_factory):
    """A folder with links to the repository, the reader's own files and trained students."""
    folder = tmp_path_factory.mktemp('repository')
    for name in ('configs', 'tools', 'projects', 'requirements', 'benchmarks', 'makd', 'setup.py'):
        (folder / name).symlink_to(ROOT / name)
    (folder / 'data').mkdir()
    for name in ('emoji', 'teachers', 'backbones'):
        (folder / 'data' / name).symlink_to(ROOT / 'data' / name)
    shutil.copytree(ROOT / 'data/emoji/aspects/cldr', folder / 'work_dirs/targets/emoji_tiny_mllm')
    for split, style in (('train', 'noto'), ('test', 'twemoji')):
        for name in ('animal-bird', 'clothing', 'food-fruit', 'music'):
            pictures = sorted((ROOT / 'data/emoji/images' / style / name).iterdir())[:3]
            (folder / 'my_images' / split / name).mkdir(parents=True)
            for picture in pictures:
                shutil.copy(picture, folder / 'my_images' / split / name)
    stems = [path.stem for path in (folder / 'my_images/train').rglob('*.png')]
    (folder / 'answers.json').write_text(json.dumps({stem: [0.25, 0.75] for stem in stems}))
    authors = folder / 'data/authors'
    (authors / 'train').mkdir(parents=True)
    for label, picture in enumerate(pictures):
        shutil.copy(picture, authors / f'train/{label}_{label}_0.png')
    (authors / 'train.json').write_text(json.dumps({f'{label}_{label}_0': [0.25, 0.75] for label in range(3)}))
    (folder / 'questions.txt').write_text('Is it alive?\nCan one eat it?\n')
    return folder


@pytest.fixture(scope='module')
def run(repository, python):
    """A function that runs a tool in a folder, after training a few students."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    environment.pop('OPENAI_API_KEY', None)

    def run(arguments, folder):
        return python(ROOT / 'tests/docs/reduced.py', *arguments, cwd=folder, env=environment)

    for name in ('baseline/resnet18_emoji', 'baseline/resnet34_emoji', 'makd/resnet18_emoji'):
        done = run(['tools/train.py', f'configs/{name}.py'], repository)
        assert done.returncode == 0, done.stderr
    return run


def calls(page, folder):
    """Return the calls of python, make, pip, ray and srun in a page's blocks, each as a list of words."""
    log = folder / 'calls'
    stubs = folder / 'stubs'
    stubs.mkdir()
    for name in ('python', 'make', 'pip', 'ray', 'srun'):
        (stubs / name).write_text(
            f'#!{sys.executable}\nimport json, sys\n'
            f'open({str(log)!r}, "a").write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")\n'
        )
        (stubs / name).chmod(0o755)
    log.touch()
    for code in blocks(page):
        environment = {**os.environ, 'PATH': f'{stubs}:{os.environ["PATH"]}'}
        environment.pop('PYTHON', None)
        subprocess.run(['bash', '-euo', 'pipefail', '-c', code], cwd=folder, check=True, env=environment)
    return [json.loads(line) for line in log.read_text('utf-8').splitlines()]


def of_tool(words):
    """Return the tool and its arguments in a call of python, torchrun or srun, without the launcher."""
    start = next(index for index, word in enumerate(words) if word.endswith('.py'))
    directory, found, name = words[start].rpartition('/tools/')  # as the launchers name it
    arguments = [f'tools/{name}' if found and directory.startswith('/') else words[start], *words[start + 1 :]]
    if '--launcher' in arguments and 'reproduce' not in arguments[0]:
        at = arguments.index('--launcher')
        del arguments[at : at + 2]
    return [argument for argument in arguments if argument != '--amp']  # needs an accelerator


@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_commands(page, repository, run, tmp_path):
    folder = tmp_path / 'repository'
    shutil.copytree(repository, folder, symlinks=True)
    for name, text in FILE.findall(page.read_text('utf-8')):
        (folder / name).write_text(text, 'utf-8')
    for words in calls(page, folder):
        line = ' '.join(words)
        if words[0] == 'make':
            done = subprocess.run(['make', '-n', '-C', ROOT, *words[1:]], capture_output=True, text=True, check=False)
            assert done.returncode == 0, (line, done.stderr)
        elif words[0] == 'pip':
            named = [word for word in words if word.endswith('.txt')]
            assert all((ROOT / word).is_file() for word in named), line
        elif words[0] == 'ray':
            ray = pytest.importorskip('ray.scripts.scripts').cli
            ray.commands[words[1]].make_context(words[1], words[2:])  # raises an error for an unknown option
        else:
            done = run(of_tool(words), folder)
            status, printed = done.returncode, done.stdout + done.stderr
            excuses = [message for command, message in ABSENT.items() if re.search(command, line)]
            if status != 0:
                assert any(re.search(excuse, printed) for excuse in excuses), f'{page.name}: {line}\n{printed[-3000:]}'
                assert 'Traceback' not in printed, f'{page.name}: {line}\n{printed[-3000:]}'


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_python_of_the_pages(page, monkeypatch):
    """Python blocks compile; those that are not configs also run."""
    monkeypatch.chdir(ROOT)
    for code in PYTHON.findall(page.read_text('utf-8')):
        compile(code, page.name, 'exec')
        if re.search(r'^(from|import) ', code, re.M) and 'CHECKPOINT' not in code:
            exec(code, {'np': np})
