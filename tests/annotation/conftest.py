import logging
import os
import random
import sys
from pathlib import Path

import openai._base_client
import pytest
from mmengine.config import Config
from PIL import Image

from makd.annotation.annotation_runner import AnnotationRunner
from makd.questions import Question, QuestionSet


@pytest.fixture
def waits(monkeypatch):
    """Let the SDK's waits before retries take no time; return the list of their seconds."""
    seconds = []
    monkeypatch.setattr(openai._base_client.time, 'sleep', seconds.append)
    return seconds


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    # Which asks the compiler for its version.
    monkeypatch.setattr(AnnotationRunner, '_log_env', lambda self, env_cfg: None)
    import stand_in_annotator

    return stand_in_annotator


@pytest.fixture
def config(tmp_path, stand_in):
    """Annotation of 23 images in shards of 4 and batches of 3."""
    generator = random.Random(0)
    (tmp_path / 'images' / 'a').mkdir(parents=True)
    for index in range(23):
        colour = tuple(generator.choices(range(1, 255), k=3))
        Image.new('RGB', (2, 2), colour).save(tmp_path / 'images' / ('a' * (index % 2)) / f'{index:02d}.png')
    QuestionSet(Question(id_, f'Is it {id_}?') for id_ in ('bright', 'dark', 'round')).save(tmp_path / 'questions.json')
    cfg = Config.fromfile('configs/_base_/annotate.py')
    cfg.merge_from_dict(
        dict(
            model=dict(
                type='makd.StandInAnnotator',
                questions=str(tmp_path / 'questions.json'),
                log=str(tmp_path / 'log'),
            ),
            dataloader=dict(
                batch_size=3, dataset=dict(type='makd.AnnotationImages', data_root=str(tmp_path / 'images'))
            ),
            writer=dict(out_dir=str(tmp_path / 'out' / 't'), shard_size=4),
            work_dir=str(tmp_path / 'work_dir'),
            log_level='ERROR',
        )
    )
    return cfg


@pytest.fixture(scope='session')
def ray_cluster():
    """Yield a Ray cluster of one node with two CPUs, to which this process is connected."""
    ray = pytest.importorskip('ray')
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RAY_AUTH_MODE', 'disabled')  # it would put a token into the home folder
        patch.setenv('RAY_USAGE_STATS_ENABLED', '0')
        patch.setenv('PYTHONPATH', os.pathsep.join([str(Path(__file__).parent), *sys.path]))
        patch.syspath_prepend(Path(__file__).parent)
        cluster = Cluster(initialize_head=True, head_node_args={'num_cpus': 2, 'include_dashboard': False})
        ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        yield cluster
        ray.shutdown()
        cluster.shutdown()
