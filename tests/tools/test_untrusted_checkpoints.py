"""Whatever a tool reads weights for, it runs no code from the file, and ends in one message that names it."""

from pathlib import Path

import pytest
import torch

SMALL = ['train_dataloader.dataset.indices=8', 'train_dataloader.num_workers=0', 'work_dir=WORK_DIR']
# 'CONFIG' is a small student's, 'FILE' the checkpoint.
USES = {
    'test': ['test', 'CONFIG', 'FILE', '--work-dir', 'WORK_DIR'],
    'load_from': ['train', 'CONFIG', '--no-validate', '--cfg-options', *SMALL, 'load_from=FILE'],
    'resume': ['train', 'CONFIG', '--no-validate', '--resume', 'FILE', '--cfg-options', *SMALL],
    'teacher': [
        *('train', 'configs/kd/resnet34_resnet18_emoji.py', '--no-validate'),
        *('--cfg-options', *SMALL, 'model.teacher_checkpoint=FILE'),
    ],
    'init_cfg': [
        *('train', 'CONFIG', '--no-validate', '--cfg-options', *SMALL),
        *('model.backbone.init_cfg.type=Pretrained', 'model.backbone.init_cfg.checkpoint=FILE'),
    ],
    'export': ['export_student', 'CONFIG', 'FILE', 'WORK_DIR/plain.pth'],
    'predict': ['predict', 'data/emoji/images/twemoji/food-fruit/1f34e.png', 'CONFIG', 'FILE'],
    'backbone': ['extract_backbone', 'FILE', 'WORK_DIR/backbone.pth'],
}


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def use(run_tool, student_files, tmp_path, monkeypatch, pytestconfig):
    """Return a function that uses a file as a checkpoint, and returns the message of the error."""
    monkeypatch.chdir(pytestconfig.rootpath)

    def run(name, file):
        places = {'CONFIG': student_files[0], 'FILE': str(file), 'WORK_DIR': str(tmp_path / 'work')}
        arguments = USES[name]
        for place, path in places.items():
            arguments = [argument.replace(place, path) for argument in arguments]
        return run_tool(*arguments)[1]

    return run


@pytest.mark.slow
@pytest.mark.parametrize('name', USES)
def test_code_does_not_run(name, use, student_files, tmp_path):
    checkpoint = torch.load(student_files[1], weights_only=True)
    checkpoint['meta']['more'] = Touch(tmp_path / 'ran')
    torch.save(checkpoint, tmp_path / 'malicious.pth')
    message = use(name, tmp_path / 'malicious.pth')
    assert message.startswith('error: ')
    assert 'malicious.pth' in message
    assert 'contains a Python object, pathlib' in message
    assert not (tmp_path / 'ran').exists()


@pytest.mark.slow
@pytest.mark.parametrize('name', USES)
def test_a_page_that_was_downloaded_instead_is_named(name, use, tmp_path):
    (tmp_path / 'page.pth').write_text('<!DOCTYPE html><title>404</title>')
    message = use(name, tmp_path / 'page.pth')
    assert message.startswith('error: ')
    assert "page.pth' is an HTML page" in message
