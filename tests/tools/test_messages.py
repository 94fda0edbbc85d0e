"""A mistake in a config or a dataset is one message that names the place."""

import os
from importlib.util import find_spec

import pytest
import torch
from tiny_training import refused, write_config, write_images


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('model = dict(', ['line 1', 'SyntaxError']),
        ('a = 1\nb = unknown_name\n', ['line 2', "name 'unknown_name' is not defined"]),
        ("custom_imports = dict(imports=['no_such_module'], allow_failed_imports=False)\n", ['no_such_module']),
        ('', ['is empty']),
        ("_base_ = ['./absent.py']\n", ['absent.py']),
        ("_base_ = ['./one.py', './two.py']\n", ['Duplicate key', 'model']),
        ('model = dict(type="ImageClassifier")\n', ['has no train_dataloader, train_cfg, optim_wrapper']),
    ],
)
def test_a_config_that_cannot_be_read(text, named, python, tmp_path):
    for name in ('one', 'two'):
        (tmp_path / f'{name}.py').write_text('model = dict()\n')
    (tmp_path / 'c.py').write_text(text)
    refused(python('tools/train.py', tmp_path / 'c.py', '--work-dir', tmp_path / 'w'), 'c.py', *named)


@pytest.mark.parametrize(
    ('lines', 'named'),
    [
        ('ant/0.png,0\nbee/0.png,1\n', ['images.txt', 'one space between']),
        ('ant/0.png\t0\n', ['images.txt', 'one space between']),
        ('ant/0.png ant\n', ['images.txt', "'ant'"]),
    ],
)
def test_a_file_of_annotations_of_another_form(lines, named, python, tmp_path):
    images = write_images(tmp_path / 'images', images=1)
    (tmp_path / 'images.txt').write_text(lines)
    config = write_config(tmp_path / 'c.py', images)
    options = [f'train_dataloader.dataset.ann_file={tmp_path / "images.txt"}']
    refused(python('tools/train.py', config, '--work-dir', tmp_path / 'w', '--cfg-options', *options), *named)


def test_a_teacher_without_a_head(python, tmp_path):
    images = write_images(tmp_path / 'images', images=1)
    teacher = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4))
    distill = dict(
        type='makd.DistillImageClassifier',
        teacher=teacher,
        teacher_init='random',
        distill_loss=dict(type='makd.KDLoss'),
    )
    config = write_config(tmp_path / 'c.py', images, model=distill)
    refused(python('tools/train.py', config, '--work-dir', tmp_path / 'w'), 'model.teacher has no head')


def test_secrets_are_not_written_down(python, tmp_path):
    images = write_images(tmp_path / 'images', images=1)
    config = write_config(tmp_path / 'c.py', images, client=dict(api_key='sk-in-the-config'))
    options = ['other.hf_token=sk-in-an-option', 'source=https://me:hunter2@host/a']
    result = python('tools/train.py', config, '--work-dir', tmp_path / 'w', '--cfg-options', *options)
    assert result.returncode == 0, result.stderr
    written = [file for file in (tmp_path / 'w').rglob('*') if file.is_file()]
    assert {'run.json', 'epoch_1.pth', 'config.py'} <= {file.name for file in written}
    for file in written:
        for secret in (b'sk-in-the-config', b'sk-in-an-option', b'hunter2'):
            assert secret not in file.read_bytes(), file
    assert 'sk-in' not in result.stdout + result.stderr


def test_the_programs_of_a_foreign_repository_do_not_run(python, tmp_path):
    images = write_images(tmp_path / 'images', images=1)
    config = write_config(tmp_path / 'c.py', images)
    folder = tmp_path / 'foreign'
    folder.mkdir()
    script = folder / 'run.sh'
    script.write_text(f'#!/bin/sh\necho ran >> {tmp_path}/ran\ncat\n')
    script.chmod(0o755)
    (folder / '.gitattributes').write_text('*.py filter=evil diff=evil\n')
    (folder / 'a.py').write_text('one\n')
    commands = [
        'init -q', 'add .', '-c user.name=A -c user.email=a@b commit -qm first', f'config core.fsmonitor {script}',
        f'config filter.evil.clean {script}', f'config diff.evil.textconv {script}', f'config diff.external {script}',
    ]  # fmt: skip
    for command in commands:
        assert os.system(f'git -C {folder} {command}') == 0
    (folder / 'a.py').write_text('two\n')
    (tmp_path / 'ran').unlink(missing_ok=True)
    tool = os.path.abspath('tools/train.py')
    result = python(tool, config, '--work-dir', tmp_path / 'w', cwd=folder)
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / 'ran').exists()
    (diff,) = (tmp_path / 'w').rglob('uncommitted.diff')
    assert b'+two' in diff.read_bytes()


def test_a_file_that_is_no_checkpoint(python, tmp_path):
    images = write_images(tmp_path / 'images', images=1)
    config = write_config(tmp_path / 'c.py', images)
    torch.save([1, 2], tmp_path / 'list.pth')
    for command in (
        ['tools/test.py', config, tmp_path / 'list.pth', '--work-dir', tmp_path / 'w'],
        ['tools/train.py', config, '--work-dir', tmp_path / 'w', '--cfg-options', f'load_from={tmp_path / "list.pth"}'],
        ['tools/predict.py', images, config, tmp_path / 'list.pth'],
    ):
        refused(python(*command), 'list.pth', 'not a state dict')


@pytest.mark.parametrize(
    ('package', 'remedy', 'option'),
    [
        ('timm', 'pip install "timm"', "model.backbone={'_delete_': True, 'type': 'TIMMBackbone', 'model_name': 'a'}"),
        (
            'albumentations',
            'pip install albumentations',
            "train_dataloader.dataset.pipeline=[{'type': 'Albu', 'transforms': []}]",
        ),
    ],
)
def test_an_optional_package_that_is_absent(package, remedy, option, python, tmp_path):
    if find_spec(package):
        pytest.skip(f'{package} is installed')
    config = write_config(tmp_path / 'c.py', write_images(tmp_path / 'images', images=1))
    result = python('tools/train.py', config, '--work-dir', tmp_path / 'w', '--cfg-options', option)
    refused(result, remedy)
    assert 'cannot be loaded' not in result.stderr
