import mmcv
import torch
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

from makd.engine.hooks import PredictionPicturesHook


def test_each_image_has_a_readable_picture_in_its_own_colours(tmp_path):
    UniversalVisualizer.get_instance('pictures').dataset_meta = dict(classes=('a', 'b'))
    red = torch.zeros(3, 8, 8, dtype=torch.uint8)
    red[2] = 250  # BGR
    samples = [
        DataSample(metainfo=dict(img_path=f'set/{folder}/1.png')).set_pred_label(1).set_gt_label(0) for folder in 'xy'
    ]
    PredictionPicturesHook(str(tmp_path), size=64)._draw_samples(0, dict(inputs=[red, red]), samples)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['set_x_1.png', 'set_y_1.png']
    picture = mmcv.imread(tmp_path / 'set_x_1.png')
    assert picture.shape == (64, 64, 3)
    assert picture[60, 60].tolist() == [0, 0, 250]  # BGR
    assert (picture != picture[60, 60]).any()  # the text


def test_paths_that_flatten_alike_or_are_long_have_pictures_of_their_own(tmp_path):
    UniversalVisualizer.get_instance('pictures').dataset_meta = dict(classes=('a', 'b'))
    paths = ['a/b_c.png', 'a_b/c.png', 'a/b/c.png', 'a/b/c.jpg', 'a/' + 'x' * 240 + '.png', 'b/' + 'x' * 240 + '.png']
    samples = [DataSample(metainfo=dict(img_path=path)).set_pred_label(1).set_gt_label(0) for path in paths]
    images = [torch.zeros(3, 8, 8, dtype=torch.uint8)] * len(paths)
    PredictionPicturesHook(str(tmp_path), size=64)._draw_samples(0, dict(inputs=images), samples)
    assert len(list(tmp_path.iterdir())) == len(paths)
