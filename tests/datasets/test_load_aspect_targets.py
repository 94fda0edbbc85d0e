import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmpretrain.datasets import PackInputs
from mmpretrain.structures import DataSample

from makd.datasets.load_targets import LoadAspectTargets
from makd.errors import ConfigError, TargetsError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

QUESTIONS = QuestionSet([Question(f'q{i}', f'Is it number {i}?', None) for i in range(3)])


@pytest.fixture
def folder(tmp_path):
    logprobs = np.log(np.array([[[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], [[0.3, 0.1], [0.25, 0.75], [1e-3, 1e-3]]]))
    AspectTargets.write(tmp_path / 'targets', questions=QUESTIONS, keys=['a/1.png', 'b/2.png'], logprobs=logprobs)
    return str(tmp_path / 'targets')


def packed(img_path):
    return dict(inputs=torch.zeros(3, 4, 4), data_samples=DataSample(metainfo=dict(img_path=img_path)))


@pytest.mark.parametrize('data_root', ['data/set', 'data/set/', './data/set', '/abs/set'])
def test_targets_are_found_by_the_path_relative_to_the_root(folder, data_root):
    transform = LoadAspectTargets(folder, data_root)
    root = data_root.rstrip('/')
    aspects = transform(packed(f'{root}/b/2.png'))['data_samples'].gt_aspects
    assert aspects.dtype == torch.float32
    torch.testing.assert_close(aspects, torch.tensor([0.75, 0.25, 0.5]))


def test_relative_and_absolute_paths_meet(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    transform = LoadAspectTargets(folder, 'set')
    assert transform.key(str(tmp_path / 'set' / 'a' / '1.png')) == 'a/1.png'


def test_selection(folder):
    sample = packed('r/a/1.png')
    aspects = LoadAspectTargets(folder, 'r', question_ids=['q2', 'q0'])(sample)['data_samples'].gt_aspects
    torch.testing.assert_close(aspects, torch.tensor([0.5, 0.9]))
    transform = LoadAspectTargets(folder, 'r', top=1)
    assert transform.num_aspects == 1
    torch.testing.assert_close(transform(sample)['data_samples'].gt_aspects, torch.tensor([0.9]))


def test_missing_image(folder):
    with pytest.raises(TargetsError, match=r'c/3\.png'):
        LoadAspectTargets(folder, 'r')(packed('r/c/3.png'))
    aspects = LoadAspectTargets(folder, 'r', missing='ignore')(packed('r/c/3.png'))['data_samples'].gt_aspects
    assert aspects.shape == (3,)
    assert aspects.isnan().all()


@pytest.mark.parametrize(
    'pack',
    [
        PackInputs(meta_keys=()),
        PackDetInputs(meta_keys=('img_id',)),
        lambda results: results,
    ],
    ids=['PackInputs', 'PackDetInputs', 'neither'],
)
def test_a_pipeline_that_packs_no_path_is_named(folder, pack):
    results = dict(img=np.zeros((4, 4, 3), np.uint8), img_path='r/a/1.png', img_id=0)
    with pytest.raises(ConfigError, match=r"makd\.LoadAspectTargets needs the path.*'img_path' in its meta_keys"):
        LoadAspectTargets(folder, 'r')(pack(results))


def test_mistakes_are_named(folder):
    with pytest.raises(ConfigError, match="missing='skip'"):
        LoadAspectTargets(folder, 'r', missing='skip')
    with pytest.raises(ConfigError, match=r'elsewhere/1\.png.*data_root'):
        LoadAspectTargets(folder, 'r').key('elsewhere/1.png')
    with pytest.raises(TargetsError, match='absent'):
        LoadAspectTargets('absent', 'r')


class Images(torch.utils.data.Dataset):
    """The answers about images of a folder, by number."""

    def __init__(self, transform, keys):
        self.transform, self.keys = transform, keys

    def __len__(self):
        return len(self.keys)

    def __getitem__(self, index):
        return self.transform(packed(f'r/{self.keys[index]}'))['data_samples'].gt_aspects


def test_loader_workers_read_a_folder_of_partitions(tmp_path):
    keys = [f'{index:02d}.png' for index in range(10)]
    p = np.random.default_rng(0).uniform(0.01, 0.99, (10, 3))
    AspectTargets.write(
        tmp_path / 'targets',
        questions=QUESTIONS,
        keys=keys,
        logprobs=np.log(np.stack([p, 1 - p], axis=-1)),
        partition_size=3,
    )
    transform = LoadAspectTargets(str(tmp_path / 'targets'), 'r', question_ids=['q2', 'q0'])
    loader = torch.utils.data.DataLoader(Images(transform, keys), batch_size=4, num_workers=2)
    np.testing.assert_allclose(torch.cat(list(loader)), p[:, [2, 0]], rtol=1e-5)
    with pytest.raises(TargetsError, match=r"no answers for the image 'x/07.png', but for '07.png'"):
        transform(packed('r/x/07.png'))
