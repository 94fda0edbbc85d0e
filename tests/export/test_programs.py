"""Exported programs run with any batch size and return the model's outputs."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmengine.registry import init_default_scope

from makd.errors import ConfigError
from makd.export import programs
from makd.export.programs import METADATA_FILE, PixelClassifier, check_outputs, write_onnx, write_program
from makd.registry import MODELS

C, Q, SIZE = 5, 3, (32, 32)
PREPROCESSOR = dict(type='ClsDataPreprocessor', mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0], to_rgb=True)
LAYERS = dict(embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=64)
BACKBONES = {
    'ResNet': dict(
        type='ResNet',
        depth=18,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1,),
        base_channels=8,
        stem_channels=8,
    ),
    'ViT': dict(type='VisionTransformer', arch=LAYERS, img_size=32, patch_size=16),
    'Swin': dict(
        type='SwinTransformer',
        arch=dict(embed_dims=16, depths=[2, 2], num_heads=[1, 2]),
        img_size=32,
        window_size=4,
        out_indices=(1,),
    ),
}


def classifier(backbone, aspects, **preprocessor):
    init_default_scope('mmpretrain')
    vit = backbone == 'ViT'
    head = dict(
        type='VisionTransformerClsHead' if vit else 'LinearClsHead',
        num_classes=C,
        in_channels=16 if backbone == 'ResNet' else 32,
    )
    if aspects:
        head.update(type=f'makd.MaKD{head["type"]}', num_aspects=Q)
    neck = {} if vit else dict(neck=dict(type='GlobalAveragePooling'))
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=BACKBONES[backbone],
            head=head,
            data_preprocessor={**PREPROCESSOR, **preprocessor},
            **neck,
        )
    )
    for parameter in model.head.parameters():
        torch.nn.init.normal_(parameter)  # ViT's begins at zero
    return PixelClassifier(model.eval())


@pytest.mark.parametrize('to_rgb', [True, False])
def test_normalisation_written_out(to_rgb):
    """Images are RGB, whatever order the model was trained on."""
    pixels = classifier('ResNet', True, to_rgb=to_rgb)
    images = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8)
    ordered = images if to_rgb else images[:, [2, 1, 0]]
    mean, std = (torch.tensor(PREPROCESSOR[name]).view(3, 1, 1) for name in ('mean', 'std'))
    with torch.no_grad():
        logits = pixels.model((ordered.float() - mean) / std)
        scores, aspects = pixels(images)
    torch.testing.assert_close(scores, logits[:, :C].softmax(1))
    torch.testing.assert_close(aspects, logits[:, C:].sigmoid())


@pytest.mark.slow
@pytest.mark.parametrize(('backbone', 'aspects'), [('ResNet', True), ('Swin', False)])
def test_onnx(backbone, aspects, tmp_path):
    pixels, out = classifier(backbone, aspects), tmp_path / 'new/student.onnx'
    assert write_onnx(pixels, SIZE, dict(classes=['ä', 'b']), out) < 1e-5
    assert [file.name for file in out.parent.iterdir()] == ['student.onnx']

    model = onnx.load(out)
    assert {prop.key: json.loads(prop.value) for prop in model.metadata_props} == {'classes': ['ä', 'b']}
    assert next(entry.version for entry in model.opset_import if not entry.domain) >= 18
    session = onnxruntime.InferenceSession(out)
    (images,) = session.get_inputs()
    assert (images.name, images.type, images.shape) == ('images', 'tensor(uint8)', ['batch', 3, 32, 32])
    assert [output.name for output in session.get_outputs()] == ['scores', 'aspects'][: 1 + aspects]
    batch = np.random.default_rng(0).integers(0, 256, (7, 3, 32, 32), dtype=np.uint8)
    with torch.no_grad():
        for found, expected in zip(session.run(None, {'images': batch}), pixels(torch.from_numpy(batch)), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(('backbone', 'aspects'), [('ViT', True), ('Swin', False)])
def test_torch_export(backbone, aspects, tmp_path):
    pixels, out = classifier(backbone, aspects), tmp_path / 'student.pt2'
    assert write_program(pixels, SIZE, dict(classes=['a', 'b']), out) < 1e-5
    extra = {METADATA_FILE: ''}
    program = torch.export.load(out, extra_files=extra)
    assert json.loads(extra[METADATA_FILE]) == {'classes': ['a', 'b']}
    images = torch.randint(0, 256, (7, 3, *SIZE), dtype=torch.uint8)
    with torch.no_grad():
        for found, expected in zip(program.module()(images), pixels(images), strict=True):
            torch.testing.assert_close(found, expected)


def test_a_file_that_gives_something_else_is_not_written(tmp_path, monkeypatch):
    """Wrong outputs look like probabilities, too: only a comparison with the model finds them."""
    pixels = classifier('ResNet', True)
    reference = pixels.reference
    monkeypatch.setattr(pixels, 'reference', lambda images: (reference(images)[0], reference(images)[1] + 2e-4))
    for write, name in ((write_onnx, 'student.onnx'), (write_program, 'student.pt2')):
        with pytest.raises(
            ConfigError, match=rf"{name} was not written: .*its aspects differ from the model's.*0\.0002"
        ):
            write(pixels, SIZE, {}, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_nan_is_a_difference():
    pixels = classifier('ResNet', False)
    with pytest.raises(ConfigError, match='differ'):
        check_outputs(lambda images: [torch.full((len(images), C), torch.nan)], pixels, SIZE, 'file')
    with pytest.raises(ConfigError, match='has shape'):
        check_outputs(lambda images: [torch.zeros(2, C)], pixels, SIZE, 'file')


def test_a_head_for_several_classes_is_refused():
    head = dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=32)
    backbone = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4)
    neck = dict(type='GlobalAveragePooling')
    init_default_scope('mmpretrain')
    model = MODELS.build(dict(type='ImageClassifier', backbone=backbone, neck=neck, head=head))
    with pytest.raises(ConfigError, match=r'model\.head is a MultiLabelLinearClsHead'):
        PixelClassifier(model)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(programs, 'find_spec', lambda name: None if name == 'onnxscript' else name)
    with pytest.raises(ConfigError, match=r"onnxscript, which is not installed: pip install 'makd\[export\]'"):
        programs.require_onnx()


def test_a_network_that_torch_cannot_follow(tmp_path, monkeypatch):
    pixels = classifier('ResNet', False)
    forward = pixels.model.backbone.forward
    monkeypatch.setattr(pixels.model.backbone, 'forward', lambda images: forward(images.view(2, -1, *SIZE)))
    with pytest.raises(ConfigError, match=r'torch\.export cannot follow ResNet for any number of images'):
        write_program(pixels, SIZE, {}, tmp_path / 'student.pt2')
