"""Annotation by two Ray actors on this machine, against one undisturbed rank."""

import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from annotation.test_annotation_runner import contents, run_here, shards
from PIL import Image

from makd.annotation.ray_runner import RayAnnotationRunner
from makd.errors import AnnotatorStopped, ConfigError

pytestmark = [pytest.mark.gloo, pytest.mark.slow]


@pytest.fixture
def ray_config(ray_cluster, config):
    """The same annotation, by actors."""
    config.custom_imports = dict(imports=['makd', 'mortal_annotator'], allow_failed_imports=False)
    config.model.type = 'makd.MortalAnnotator'
    config.dataloader.num_workers = 1
    return config


def run_with_ray(config, **changes):
    cfg = config.copy()
    cfg.merge_from_dict({'experiment_name': uuid4().hex, **changes})
    return RayAnnotationRunner.from_cfg(cfg).annotate()


def test_the_death_of_an_actor_in_the_middle_of_a_shard_changes_no_byte(ray_config, tmp_path):
    figures = run_here(ray_config, **{'model.type': 'makd.StandInAnnotator'})
    expected = contents(ray_config)
    shutil.rmtree(ray_config.writer.out_dir)
    names = expected['images.txt'].decode().splitlines()
    lethal = Image.open(tmp_path / 'images' / names[4 * 2 + 3]).getpixel((0, 0))  # in the second batch of shard 2
    (tmp_path / 'marks').mkdir()
    found = run_with_ray(ray_config, **{'model.lethal': lethal, 'model.marks': str(tmp_path / 'marks')})
    assert len(list((tmp_path / 'marks').iterdir())) >= 3  # two processes, and 'dead'
    assert contents(ray_config) == expected
    assert found.keys() == figures.keys()
    assert 0 < found['busy'] < 1
    assert not Path(ray_config.writer.out_dir + '.partial').exists()


def test_what_an_annotator_raises_ends_the_run_and_keeps_the_shards(ray_config, stand_in):
    with pytest.raises(ConfigError, match=r'^the self-check has failed$'):
        run_with_ray(ray_config, **{'model.checks': False})
    assert not shards(ray_config)
    with pytest.raises(AnnotatorStopped, match=r'(?s)^the server is dead.*are kept in .*t\.partial.*same command'):
        run_with_ray(ray_config, **{'model.stop_at': 4, 'ray.num_actors': 1})
    assert len(shards(ray_config)) == 2  # a shard of two batches, and what the third was about
    before = stand_in.asked(ray_config.model.log)
    assert run_here(ray_config, **{'model.type': 'makd.StandInAnnotator'})['failed'] == 0
    assert stand_in.asked(ray_config.model.log) - before == 23 - 4 - 3
