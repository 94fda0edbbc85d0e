import json
from functools import partial

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from apis.small_student import small_student
from mmpretrain import ImageClassificationInferencer
from safetensors.torch import load_file

from makd.apis import AspectInferencer

IMAGE = 'data/emoji/images/twemoji/food-fruit/1f34e.png'


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch, pytestconfig):
    monkeypatch.chdir(pytestconfig.rootpath)


@pytest.fixture
def export(run_tool):
    return partial(run_tool, 'export_student')


def test_a_plain_checkpoint_gives_the_same_scores_in_mmpretrain(export, student_files, tmp_path):
    (printed, _), status = export(*student_files, tmp_path / 'plain.pth')
    assert status is None
    assert 'a plain ImageClassifier, the same scores as the student' in printed
    student = AspectInferencer(*student_files, device='cpu')
    plain = ImageClassificationInferencer(str(tmp_path / 'plain_config.py'), str(tmp_path / 'plain.pth'), device='cpu')
    image = student.load(IMAGE)
    expected, found = student(image)[0], plain(image)[0]
    # Depending on the processor, a product with C rows and one with C + Q rows are summed in different orders.
    np.testing.assert_allclose(found['pred_scores'], expected['pred_scores'], rtol=1e-5)
    assert found['pred_class'] == expected['pred_class']


def test_safetensors_has_the_weights_of_the_plain_checkpoint(export, student_files, tmp_path):
    for name in ('plain.pth', 'plain.safetensors'):
        _, status = export(*student_files, tmp_path / name)
        assert status is None
    weights = torch.load(tmp_path / 'plain.pth', weights_only=True)['state_dict']
    torch.testing.assert_close(load_file(tmp_path / 'plain.safetensors'), dict(weights), rtol=0, atol=0)


@pytest.mark.slow
def test_onnx_with_aspects_sees_in_an_image_what_the_student_sees(export, student_files, tmp_path):
    out = tmp_path / 'student.onnx'
    (printed, _), status = export(*student_files, out, '--aspects')
    assert status is None
    assert 'images uint8 (batch, 3, 32, 32) in RGB' in printed
    student = AspectInferencer(*student_files, device='cpu')
    (expected,) = student(IMAGE)
    pixels = student.pipeline(dict(img=student.load(IMAGE)))['inputs'].flip(0).numpy()  # RGB
    scores, aspects = onnxruntime.InferenceSession(out).run(None, {'images': pixels[None]})
    np.testing.assert_allclose(scores[0], expected['pred_scores'], atol=1e-6)
    np.testing.assert_allclose(aspects[0], expected['pred_aspects'], atol=1e-6)

    metadata = {prop.key: json.loads(prop.value) for prop in onnx.load(out).metadata_props}
    assert metadata['input'] == dict(name='images', dtype='uint8', shape=['batch', 3, 32, 32], order='RGB')
    assert metadata['normalisation'] == dict(order='RGB', mean=[124.0, 117.0, 104.0], std=[70.0, 70.0, 70.0])
    assert metadata['classes'][expected['pred_label']] == expected['pred_class']
    assert metadata['questions'] == list(student.questions.texts)
    assert [transform['type'] for transform in metadata['transforms']] == [
        *('makd.LoadImageOnBackground', 'Resize', 'PackInputs')
    ]


@pytest.mark.slow
def test_torch_export_without_aspects(export, student_files, tmp_path):
    _, status = export(*student_files, tmp_path / 'student.pt2')
    assert status is None
    program = torch.export.load(tmp_path / 'student.pt2')
    (scores,) = program.module()(torch.zeros(3, 3, 32, 32, dtype=torch.uint8))
    assert scores.shape == (3, 849)
    assert not any('aspect' in name for name in program.state_dict)
    assert program.state_dict['model.head.fc.weight'].shape[0] == 849


DETECTOR = 'configs/makd/faster_rcnn_r18_fpn_emoji_scenes.py'
MISTAKES = {
    'suffix': (['CONFIG', 'CHECKPOINT', 'out.tflite'], 'OUT out.tflite: its suffix has to be one of .pth'),
    'aspects of a plain model': (['CONFIG', 'CHECKPOINT', 'out.pth', '--aspects'], '.pth holds a plain model'),
    'detector': ([DETECTOR, 'CHECKPOINT', 'out.onnx'], 'mmdeploy'),
    'baseline with aspects': (
        ['configs/baseline/resnet18_emoji.py', 'CHECKPOINT', 'out.pt2', '--aspects'],
        'a student with a MaKD head is needed',
    ),
    'checkpoint of another config': (['configs/makd/resnet18_emoji.py', 'CHECKPOINT', 'out.pth'], 'does not fit'),
    'no pipeline': (
        ['CONFIG', 'CHECKPOINT', 'out.pt2', '--cfg-options', 'test_dataloader=None'],
        'test_dataloader.dataset.pipeline, which says how images are loaded',
    ),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_mistakes(name, export, student_files, tmp_path):
    arguments, message = MISTAKES[name]
    placed = {'CONFIG': student_files[0], 'CHECKPOINT': student_files[1]}
    _, status = export(*(placed.get(argument, argument) for argument in arguments))
    assert message in status


def test_a_plain_model_is_no_student(export, tmp_path, pytestconfig):
    files = small_student(pytestconfig.rootpath, tmp_path, 'baseline/resnet18_emoji')
    _, status = export(*files, tmp_path / 'out.pth')
    assert 'it is a plain model already' in status
