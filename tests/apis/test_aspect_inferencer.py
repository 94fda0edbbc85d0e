import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from apis.small_student import small_student
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DATASETS, DefaultScope

from makd.apis import AspectInferencer
from makd.errors import ConfigError, DataError
from makd.files import picture_name

C, Q = 849, 66


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch, pytestconfig):
    monkeypatch.chdir(pytestconfig.rootpath)


@pytest.fixture(scope='module')
def student(student_files, pytestconfig):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(pytestconfig.rootpath)
        return AspectInferencer(*student_files, device='cpu')


@pytest.fixture(scope='module')
def test_set(student_files, pytestconfig):
    with pytest.MonkeyPatch.context() as patch, DefaultScope.overwrite_default_scope('mmpretrain'):
        patch.chdir(pytestconfig.rootpath)
        return DATASETS.build(Config.fromfile(student_files[0]).test_dataloader.dataset)


@pytest.fixture(scope='module')
def paths(test_set):
    """Images with transparent parts."""
    return [test_set.get_data_info(index)['img_path'] for index in range(3)]


def test_the_results_are_those_of_a_test(student, test_set, paths):
    """The test pipeline's loader handles transparent parts, and the batch size makes no difference."""
    expected = student.model.test_step(default_collate([test_set[index] for index in range(3)]))
    for batch_size in (1, 2):
        results = student(paths, batch_size=batch_size)
        for result, sample in zip(results, expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(result['pred_scores']), sample.pred_score)
            torch.testing.assert_close(torch.from_numpy(result['pred_aspects']), sample.pred_aspects)
            assert result['pred_label'] == int(sample.pred_label)
            assert result['pred_class'] == test_set.metainfo['classes'][result['pred_label']]
            assert result['pred_score'] == result['pred_scores'].max()


def test_aspects_are_sorted_by_what_they_say_for_the_class(student, paths):
    (result,) = student(paths[0])
    aspects = result['aspects']
    bits = student.evidence.bits(result['pred_aspects'], result['pred_label'])
    assert [aspect['evidence'] for aspect in aspects] == sorted(bits, reverse=True)
    assert len({aspect['id'] for aspect in aspects}) == Q
    for aspect in aspects[:3]:
        q = student.questions.ids.index(aspect['id'])
        assert aspect['question'] == student.questions.texts[q]
        assert aspect['probability'] == pytest.approx(float(result['pred_aspects'][q]))
        assert aspect['average'] == pytest.approx(student.evidence.overall[q])


def test_arrays_folders_and_datasamples(student, paths, tmp_path):
    from_path, from_array = student(paths[0])[0], student(student.load(paths[0]))[0]
    np.testing.assert_array_equal(from_array['pred_scores'], from_path['pred_scores'])
    shutil.copy(paths[0], tmp_path / 'a.png')
    (from_folder,) = student(str(tmp_path))
    np.testing.assert_array_equal(from_folder['pred_scores'], from_path['pred_scores'])
    (sample,) = student(paths[0], return_datasamples=True)
    assert sample.pred_aspects.shape == (Q,)
    assert sample.img_path == paths[0]


def test_pictures_of_equal_file_names_do_not_overwrite_each_other(student, paths, tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        shutil.copy(paths[0], tmp_path / name / 'image.png')
    images = [str(tmp_path / 'a/image.png'), student.load(paths[1]), str(tmp_path / 'b/image.png')]
    student(images, show_dir=tmp_path / 'shown', topk=3, num_aspects=2)
    shown = {picture.name for picture in (tmp_path / 'shown').iterdir()}
    assert len(shown) == 3
    assert 'array 1.png' in shown
    assert sum(bool(re.search(r'[ab]_image(-\w+)?\.png', name)) for name in shown) == 2
    assert cv2.imread(str(tmp_path / 'shown/array 1.png')).shape[1] == 1000


def test_every_image_has_a_picture_of_its_own(student, paths, tmp_path, monkeypatch):
    image_file = Path(paths[0]).resolve()
    monkeypatch.chdir(tmp_path)
    images = ['a/b.png', 'a_b.png', 'b.png']
    for image in images:
        (tmp_path / image).parent.mkdir(exist_ok=True)
        shutil.copy(image_file, tmp_path / image)
    for _ in range(2):  # the second time, the same
        student(images, show_dir=tmp_path / 'shown')
        shown = sorted(file.name for file in (tmp_path / 'shown').iterdir())
        assert shown == [picture_name('a_b.png'), 'a_b.png', 'b.png']


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        ('absent.png', 'absent.png'),
        (np.zeros((4, 4, 4), np.uint8), r'uint8 \(4, 4, 4\) is no image'),
        (np.zeros((4, 4, 3)), r'float64 \(4, 4, 3\) is no image'),
    ],
    ids=['absent', 'four channels', 'floats'],
)
def test_what_is_no_image(student, image, message):
    with pytest.raises(DataError, match=message):
        student(image)


def test_a_damaged_image(student, tmp_path):
    (tmp_path / 'damaged.png').write_bytes(b'not an image')
    with pytest.raises(DataError, match=r'damaged\.png'):
        student(str(tmp_path / 'damaged.png'))


def test_without_the_training_set_aspects_are_listed_by_certainty(
    student_files, paths, monkeypatch, tmp_path, pytestconfig
):
    image = str(pytestconfig.rootpath / paths[0])
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="by certainty: .*data_root='data/emoji' is not there"):
        student = AspectInferencer(*student_files, device='cpu')
    (result,) = student(image)
    certainty = [abs(aspect['probability'] - 0.5) for aspect in result['aspects']]
    assert certainty == sorted(certainty, reverse=True)
    assert {aspect['evidence'] for aspect in result['aspects']} == {None}
    assert result['aspects'][0]['question'].startswith('question ')
    assert result['pred_class'] in student.classes

    targets = 'data/emoji/aspects/cldr'
    shutil.copytree(pytestconfig.rootpath / targets, tmp_path / targets)
    with pytest.warns(UserWarning, match='by certainty: .*data_root=.* is not there'):
        student = AspectInferencer(*student_files, device='cpu')
    assert student(image)[0]['aspects'][0]['question'] in student.questions.texts


def test_a_plain_classifier_has_no_aspects(tmp_path, pytestconfig):
    files = small_student(pytestconfig.rootpath, tmp_path, 'baseline/resnet18_emoji')
    with pytest.raises(ConfigError, match='LinearClsHead: it gives no aspects; a MaKD head is needed'):
        AspectInferencer(*files)


def test_a_detector_is_sent_elsewhere(student_files):
    with pytest.raises(ConfigError, match=r'is of a detector.*makd\.apis\.RegionInferencer'):
        AspectInferencer('configs/makd/faster_rcnn_r18_fpn_emoji_scenes.py', student_files[1])


def test_checkpoints_that_do_not_fit(student_files, tmp_path):
    with pytest.raises(ConfigError, match=r'does not fit the config(.|\n)*of another shape'):
        AspectInferencer('configs/makd/resnet18_emoji.py', student_files[1])
    (tmp_path / 'damaged.pth').write_bytes(b'no checkpoint')
    with pytest.raises(ConfigError, match=r"damaged\.pth' is not a torch checkpoint"):
        AspectInferencer(student_files[0], tmp_path / 'damaged.pth')
    with pytest.raises(ConfigError, match='there is no checkpoint'):
        AspectInferencer(student_files[0], tmp_path / 'absent.pth')


def test_questions_of_another_number(student_files, tmp_path):
    cfg = Config.fromfile(student_files[0])
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.pipeline[-1].top = 7
    with pytest.raises(ConfigError, match=r'answers to 7 questions, but num_aspects of the head is 66'):
        AspectInferencer(cfg, student_files[1])
