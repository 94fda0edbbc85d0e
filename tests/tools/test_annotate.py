"""tools/annotate.py as a user runs it: statuses, messages, ranks."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from mmengine.runner import Runner
from PIL import Image

from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

ROOT = Path(__file__).parents[2]
STAND_IN = ROOT / 'tests' / 'annotation'


@pytest.fixture
def config(tmp_path):
    (tmp_path / 'images').mkdir()
    for index in range(10):
        Image.new('RGB', (2, 2), (9 * index, 100, 7)).save(tmp_path / 'images' / f'{index}.png')
    QuestionSet([Question('bright', 'Is it bright?')]).save(tmp_path / 'questions.json')
    (tmp_path / 'annotate_tiny.py').write_text(f"""
_base_ = ['{ROOT}/configs/_base_/annotate.py']
custom_imports = dict(imports=['makd', 'stand_in_annotator'], allow_failed_imports=False)
model = dict(type='makd.StandInAnnotator', questions='{tmp_path}/questions.json', log='{tmp_path}/log')
dataloader = dict(
    batch_size=2, num_workers=1, dataset=dict(type='makd.AnnotationImages', data_root='{tmp_path}/images')
)
writer = dict(out_dir='{tmp_path}/aspects/t', shard_size=3)
work_dir = '{tmp_path}/work_dir'
experiment_name = '{uuid4().hex}'
""")
    return tmp_path / 'annotate_tiny.py'


@pytest.fixture
def annotate(config, monkeypatch, run_tool):
    """Return a function that runs the tool and returns its status, stdout and stderr."""
    monkeypatch.syspath_prepend(STAND_IN)
    monkeypatch.setattr(Runner, '_log_env', lambda self, env_cfg: None)  # it asks the compiler for its version
    monkeypatch.setenv('LOCAL_RANK', '0')

    def run(*argv):
        (out, err), end = run_tool('annotate', config, *argv)
        return (1, out, end) if isinstance(end, str) else (end or 0, out, err)

    return run


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_corrupt_image_is_status_3_until_it_is_repaired(annotate, tmp_path):
    image, folder = tmp_path / 'images' / '4.png', tmp_path / 'aspects' / 't'
    good = image.read_bytes()
    image.write_bytes(b'garbage')
    status, out, _ = annotate()
    assert status == 3
    assert '1 images, see failed.jsonl: 1 x not an image' in out
    assert 'Is it bright?' in out
    assert AspectTargets.open(folder).failures.keys() == {'4.png'}
    image.write_bytes(good)
    status, out, _ = annotate()
    assert status == 0
    assert '1 of 10 images are left' in out
    assert AspectTargets.open(folder).num_missing == 0
    status, out, _ = annotate()
    assert status == 0
    assert 'is finished' in out

    status, _, err = annotate('--cfg-options', 'model.prompt=Q')
    assert status == 1
    assert "teacher.prompt: on disk '{question}', in the config 'Q'" in err
    assert annotate('--no-resume', '--cfg-options', 'model.prompt=Q')[0] == 0
    assert AspectTargets.open(folder).meta['teacher']['prompt'] == 'Q'


def test_a_trial_has_a_folder_of_its_own(annotate, tmp_path):
    assert annotate('--limit', 4)[0] == 0
    assert len(AspectTargets.open(tmp_path / 'aspects' / 't.trial-4')) == 4
    assert os.listdir(tmp_path / 'aspects') == ['t.trial-4']


@pytest.mark.gloo
def test_two_ranks_make_the_same_folder(annotate, config, tmp_path):
    assert annotate('--cfg-options', f'writer.out_dir={tmp_path}/aspects/one')[0] == 0
    process = subprocess.run(
        ['bash', 'tools/dist_annotate.sh', str(config), '2'],
        env={**os.environ, 'PYTHONPATH': str(STAND_IN), 'PYTHON': sys.executable, 'PORT': str(free_port())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert contents(tmp_path / 'aspects' / 't') == contents(tmp_path / 'aspects' / 'one')


def test_a_config_and_options_from_before_the_runner_resume_what_they_began(annotate, config, tmp_path):
    assert annotate('--cfg-options', 'test_dataloader.batch_size=3', f'test_evaluator.out_dir={tmp_path}/now')[0] == 0
    text = config.read_text().replace('dataloader = dict(', 'test_dataloader = dict(')
    text = text.replace('writer = dict(', "test_evaluator = dict(type='makd.ShardWriter', ")
    base, former = text.split('\n', 2)[1:]
    assert base.startswith('_base_')
    config.write_text(
        "test_cfg = dict(type='makd.AnnotateLoop')\n"
        "default_scope = 'mmengine'\n"
        'default_hooks = dict(timer=None, logger=dict(type="LoggerHook", interval=1_000_000), checkpoint=None)\n'
        "model_wrapper_cfg = dict(type='makd.FrozenModelWrapper')\n"
        "env_cfg = dict(dist_cfg=dict(backend='gloo'))\n" + former
    )
    (tmp_path / 'images' / '4.png').rename(tmp_path / '4.png')
    (tmp_path / 'images' / '4.png').touch()
    status, out, err = annotate()
    assert status == 3
    assert (out + err).count('Former fields') == 1
    (tmp_path / '4.png').rename(tmp_path / 'images' / '4.png')
    assert annotate('--cfg-options', 'test_dataloader.num_workers=0')[0] == 0
    assert contents(tmp_path / 'aspects' / 't').keys() == contents(tmp_path / 'now').keys()


def test_without_ray_its_launcher_says_how_to_install_it(annotate, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'ray', None)
    status, _, err = annotate('--launcher', 'ray')
    assert status == 1
    assert err.startswith("error: --launcher ray needs Ray, which is not installed: pip install 'makd[ray]'\n")
    assert not (tmp_path / 'aspects').exists()


MISTAKES = {
    'no out_dir': (('--cfg-options', 'writer.out_dir=None'), 'writer.out_dir'),
    'unknown annotator': (('--cfg-options', 'model.type=makd.HFAnotator'), 'HFAnnotator'),
    'unknown key': (('--cfg-options', 'model.promt=x'), 'model.promt'),
    'no data': (('--cfg-options', 'dataloader.dataset.data_root=no'), "dataloader.dataset.data_root='no'"),
    'no images': (('--limit', '0'), '--limit 0'),
    'unknown field of ray': (('--launcher', 'ray', '--cfg-options', 'ray.num_gpu=1'), 'ray.num_gpu: makd.RayPool has'),
    'no whole GPUs': (('--launcher', 'ray', '--cfg-options', 'ray.num_gpus=1.5'), 'ray.num_gpus=1.5'),
    'a sampler': (('--cfg-options', 'dataloader.sampler.type=DefaultSampler'), 'dataloader.sampler'),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_a_mistake_is_one_message_and_a_status(annotate, mistake):
    options, named = MISTAKES[mistake]
    status, _, err = annotate(*options)
    assert status == 1
    assert err.startswith('error: ')
    assert named in err
