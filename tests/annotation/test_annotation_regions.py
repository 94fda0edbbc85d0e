"""What an annotator sees of regions, and runs about them."""

import json
import pickle
import shutil
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import torch
from annotation.test_annotation_runner import contents, run_here
from PIL import Image
from scripted_decisions import decision, image_of, names
from scripted_server import ScriptedServer

from makd.annotation import annotation_images, annotation_regions
from makd.annotation.annotation_regions import AnnotationRegions, show_region
from makd.annotation.annotation_runner import AnnotationRunner
from makd.errors import ConfigError, MakdError
from makd.targets import AspectTargets

RED = (255, 0, 0)
SIZE = (40, 30)
PICTURES = ('a.png', 'b/ü #1.png', 'c.png')


def picture(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 200, (*SIZE[::-1], 3), np.uint8))


def coco(root, boxes=None):
    """Save pictures and a COCO-format file; by default, of each picture three boxes and some that are left out."""
    for seed, name in enumerate(PICTURES):
        path = root / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(path)
    if boxes is None:
        boxes = [
            dict(image_id=image, category_id=1, bbox=bbox, area=1, iscrowd=int(bbox[2] == 9))
            for image in range(len(PICTURES))
            for bbox in ([2, 3, 10, 8], [2, 3, 10, 8], [20.5, 10.25, 12, 9.5], [30, 20, 20, 20], [1, 1, 9, 9])
        ]
    content = dict(
        images=[dict(id=i, file_name=name, width=SIZE[0], height=SIZE[1]) for i, name in enumerate(PICTURES)],
        annotations=[dict(id=i, **box) for i, box in enumerate(boxes)],
        categories=[dict(id=1, name='thing')],
    )
    (root / 'boxes.json').write_text(json.dumps(content))
    return dict(type='makd.CocoBoxes', data_root=str(root), ann_file='boxes.json', data_prefix=dict(img='images'))


BOXES = [(2, 3, 12, 11), (20.5, 10.25, 32.5, 19.75), (30, 20, 50, 40)]
KEYS = [f'{name}#{box}' for name in PICTURES for box in ('2,3,12,11', '20.5,10.25,32.5,19.75', '30,20,50,40')]


@pytest.fixture
def regions(tmp_path):
    return AnnotationRegions(str(tmp_path / 'images'), coco(tmp_path))


def test_each_box_is_an_image(regions):
    assert list(regions.keys) == KEYS
    copy = pickle.loads(pickle.dumps(regions))
    for index, key in enumerate(KEYS):
        left, top, right, bottom = [(2, 3, 12, 11), (20, 10, 33, 20), (30, 20, 40, 30)][index % 3]
        expected = np.asarray(picture(index // 3))[top:bottom, left:right]
        for item in (regions[index], copy[index]):
            assert (item['key'], item['error']) == (key, None)
            np.testing.assert_array_equal(item['inputs'], expected)
        np.testing.assert_array_equal(regions.image(index), expected)
    assert regions.file_of(KEYS[3]).endswith('images/b/ü #1.png')


def test_what_is_left_out_is_counted(tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr(annotation_regions, 'print_log', lambda message, _: logged.append(message))
    AnnotationRegions(str(tmp_path / 'images'), [coco(tmp_path)])
    assert logged == [
        '9 regions of 3 images; 6 of 15 boxes are left out: crowds, boxes without area, or the same box again.'
    ]


def test_limits_are_spread_evenly(tmp_path):
    limited = AnnotationRegions(str(tmp_path / 'images'), coco(tmp_path), limit=3)
    assert list(limited.keys) == [KEYS[0], KEYS[4], KEYS[8]]


@pytest.mark.parametrize('num_workers', [0, 1])
def test_an_image_is_decoded_once_for_its_regions_in_a_batch(regions, monkeypatch, tmp_path, num_workers):
    decode = annotation_images.decode

    def counting(content, background):
        (tmp_path / f'decoded-{uuid4().hex}').touch()
        return decode(content, background)

    monkeypatch.setattr(annotation_images, 'decode', counting)
    loader = torch.utils.data.DataLoader(regions, batch_size=6, num_workers=num_workers, collate_fn=list)
    assert [[item['error'] for item in items] for items in loader] == [[None] * 6, [None] * 3]
    assert len(list(tmp_path.glob('decoded-*'))) == len(PICTURES)


INDEXED = np.dstack([*np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1])), np.zeros(SIZE[::-1])])  # a pixel is x, y, 0


@pytest.mark.parametrize(
    ('box', 'context', 'corners'),
    [
        ((4, 6, 14, 16), 1.0, (4, 6, 14, 16)),
        ((4.5, 6.25, 13.75, 15.5), 1.0, (4, 6, 14, 16)),
        ((10, 10, 20, 14), 1.5, (7, 9, 23, 15)),  # 2.5 pixels on each side, in whole pixels
        ((10, 10, 20, 14), 0.5, (12, 11, 18, 13)),
        ((-5, -5, 6, 4), 2.0, (0, 0, 12, 9)),
        ((35, 25, 60, 60), 1.0, (35, 25, 40, 30)),
        ((7.2, 7.2, 7.21, 7.21), 1.0, (7, 7, 8, 8)),
        ((50, 40, 60, 45), 1.0, (39, 29, 40, 30)),  # beside the image: its nearest pixel
        ((-9, -9, -1, -1), 1.0, (0, 0, 1, 1)),
        ((4, 6, 14, 16), 100, (0, 0, *SIZE)),
    ],
)
def test_a_crop_lies_within_the_image_and_is_never_empty(box, context, corners):
    shown = np.asarray(show_region(Image.fromarray(INDEXED.astype(np.uint8)), box, context, outline=False))
    assert (*shown[0, 0, :2], *(shown[-1, -1, :2] + 1)) == corners


@pytest.mark.parametrize('box', [(10, 8, 20, 15), (10.4, 8.6, 19.5, 14.2), (0, 0, 40, 30), (-3, 25, 8, 35)])
def test_the_frame_is_around_the_box_and_hides_nothing_of_it(box):
    image = picture(0)
    before = np.asarray(image).copy()
    shown = np.asarray(show_region(image, box, None, outline=True))
    np.testing.assert_array_equal(image, before)
    left, top = (max(int(np.floor(value)), 0) for value in box[:2])
    right, bottom = (min(int(np.ceil(value)), size) for value, size in zip(box[2:], SIZE))
    framed = np.zeros(before.shape[:2], bool)
    framed[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = True  # a hundredth of 40 pixels is one
    framed[top:bottom, left:right] = False
    np.testing.assert_array_equal(shown[~framed], before[~framed])
    assert (shown[framed] == RED).all()


def test_context_cuts_after_the_frame_is_drawn():
    shown = np.asarray(show_region(picture(0), (10, 10, 20, 20), 1.4, outline=True))
    assert shown.shape == (14, 14, 3)
    assert (shown[1, 1:13] == RED).all()
    np.testing.assert_array_equal(shown[2:12, 2:12], np.asarray(picture(0))[10:20, 10:20])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(context=0), 'context=0 must be positive'),
        (dict(context=float('nan')), 'context=nan must be positive'),
        (dict(context=None), 'all regions of an image look the same'),
        (dict(context=1.0, outline=True), r'context=1\.0 cuts it off'),
    ],
)
def test_what_shows_no_region_is_refused(tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        AnnotationRegions(str(tmp_path), [], **arguments)


def test_classification_has_no_regions(tmp_path):
    pytest.importorskip('mmpretrain')
    images = dict(type='mmpretrain.CustomDataset', data_root=str(tmp_path / 'images'))
    coco(tmp_path)
    (tmp_path / 'images' / 'x').mkdir()
    with pytest.raises(ConfigError, match=r'has no `instances`: .*makd\.AnnotationImages asks about whole images'):
        AnnotationRegions(str(tmp_path / 'images'), images)


def test_a_damaged_image_is_a_reason_for_each_of_its_regions(regions, tmp_path):
    content = (tmp_path / 'images' / 'a.png').read_bytes()
    (tmp_path / 'images' / 'a.png').write_bytes(content[:90])
    (tmp_path / 'images' / 'c.png').unlink()
    errors = [regions[index]['error'] for index in range(9)]
    assert errors[0] is not None
    assert errors[:3] == [errors[0]] * 3
    assert errors[3:6] == [None] * 3
    assert errors[6:] == ['No such file or directory'] * 3
    assert regions[0]['fingerprint'] == regions[1]['fingerprint']


@pytest.fixture
def region_config(config, tmp_path):
    """Annotation of 9 regions in shards of 4 and batches of 3."""
    config.dataloader.dataset = dict(
        type='makd.AnnotationRegions', data_root=str(tmp_path / 'images'), datasets=coco(tmp_path)
    )
    return config


def test_answers_are_about_the_regions(region_config, stand_in):
    assert run_here(region_config)['failed'] == 0
    assert stand_in.asked(region_config.model.log) == len(KEYS)
    targets = AspectTargets.open(region_config.writer.out_dir)
    assert list(targets.keys) == KEYS
    assert targets.about == 'regions'
    assert targets.meta['images'] == {'background': [255, 255, 255], 'regions': {'context': 1.0, 'outline': False}}
    for index, key in enumerate(KEYS):
        brightness = stand_in.MeanColour()(
            show_region(picture(index // 3), BOXES[index % 3], 1.0, outline=False)
        ).mean()
        expected = torch.sigmoid(2 * (brightness * torch.tensor([-3.0, 0, 3]) + 0.1))
        np.testing.assert_allclose(targets.probability(key), expected, rtol=1e-5)


def test_the_log_counts_regions(region_config):
    region_config.log_level = 'INFO'
    run_here(region_config)
    run_here(region_config)
    log = ''.join(path.read_text() for path in sorted(Path(region_config.work_dir).glob('*/*.log')))
    for text in (
        '9 of 9 regions are left to be asked 3 questions',
        'regions/s',
        ' regions  9, of which 9 were asked about now',
        'is finished: 9 regions, the same annotator',
    ):
        assert text in log
    run = AnnotationRunner.from_cfg({**region_config, 'experiment_name': uuid4().hex})
    assert run.estimate().startswith('9 regions will take about ')


def test_an_interruption_changes_no_byte(region_config, stand_in):
    run_here(region_config)
    expected = contents(region_config)
    shutil.rmtree(region_config.writer.out_dir)
    with pytest.raises(MakdError, match='the server is dead'):
        run_here(region_config, **{'model.stop_at': 3})
    before = stand_in.asked(region_config.model.log)
    run_here(region_config)
    assert stand_in.asked(region_config.model.log) - before == len(KEYS) - 4
    assert contents(region_config) == expected


@pytest.mark.parametrize('interrupted', [True, False])
def test_a_replaced_image_is_noticed_for_all_its_regions(region_config, stand_in, tmp_path, interrupted):
    if interrupted:
        with pytest.raises(MakdError, match='the server is dead'):
            run_here(region_config, **{'model.stop_at': 3})
    else:
        run_here(region_config)
    picture(9).save(tmp_path / 'images' / 'a.png')
    if not interrupted:
        with pytest.raises(MakdError, match=r'(?s)3 of its 9 regions below .* replaced .*a\.png#2,3,12,11.*a\.png#30'):
            run_here(region_config)
        return
    before = stand_in.asked(region_config.model.log)
    run_here(region_config)
    assert stand_in.asked(region_config.model.log) - before == len(KEYS) - 4 + 3


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'context': 1.2}, r'images\.regions\.context: on disk 1\.0, in the config 1\.2'),
        ({'context': 2.0, 'outline': True}, r'images\.regions\.outline: on disk False, in the config True'),
        ({'type': 'makd.AnnotationImages'}, r'images\.'),
    ],
)
def test_regions_that_look_different_are_refused(region_config, changes, message):
    run_here(region_config)
    with pytest.raises(MakdError, match=message):
        run_here(region_config, **{f'dataloader.dataset.{name}': value for name, value in changes.items()})


def test_damaged_images_fail_alone(region_config, tmp_path):
    (tmp_path / 'images' / 'b' / 'ü #1.png').write_bytes(b'none')
    assert run_here(region_config)['failed'] == 3
    targets = AspectTargets.open(region_config.writer.out_dir)
    assert list(targets.failures) == KEYS[3:6]


def test_a_server_gets_the_crops(region_config, monkeypatch, waits):
    def answer(request):
        return decision([(name, image_of(request).size[0] / 100) for name in names(request)], tokens=500)

    with ScriptedServer(answer) as server:
        region_config.model = dict(
            type='makd.DecisionsAnnotator',
            client=dict(model='m', base_url=server.url),
            questions=region_config.model.questions,
            image_format='png',
        )
        assert run_here(region_config)['failed'] == 0
    targets = AspectTargets.open(region_config.writer.out_dir)
    found = [targets.probability(key)[0] for key in targets.keys]
    np.testing.assert_allclose(found, [0.1, 0.13, 0.1] * 3, atol=1e-6)


@pytest.mark.gloo
@pytest.mark.slow
def test_actors_write_the_same_bytes(region_config, ray_cluster):
    from makd.annotation.ray_runner import RayAnnotationRunner

    region_config.custom_imports = dict(imports=['makd', 'mortal_annotator'], allow_failed_imports=False)
    run_here(region_config)
    expected = contents(region_config)
    shutil.rmtree(region_config.writer.out_dir)
    region_config.model.type = 'makd.MortalAnnotator'
    region_config.experiment_name = uuid4().hex
    RayAnnotationRunner.from_cfg(region_config).annotate()
    assert contents(region_config) == expected
