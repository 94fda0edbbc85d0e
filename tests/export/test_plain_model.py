import json

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from makd.export.plain_model import write_safetensors


def test_weights_come_back(tmp_path):
    weights = {'a': torch.randn(3, 2).T, 'steps': torch.tensor(7), 'half': torch.ones(2, dtype=torch.float16)}
    out = tmp_path / 'new/weights.safetensors'
    write_safetensors(weights, 'model = 1', ['ä', 'b'], out)
    loaded = load_file(out)
    torch.testing.assert_close(loaded, weights, rtol=0, atol=0)
    with safe_open(out, 'pt') as file:
        metadata = file.metadata()
    assert metadata['config'] == 'model = 1'
    assert json.loads(metadata['classes']) == ['ä', 'b']


def test_classes_may_be_unknown(tmp_path):
    write_safetensors({'a': torch.ones(1)}, '', None, tmp_path / 'weights.safetensors')
    with safe_open(tmp_path / 'weights.safetensors', 'pt') as file:
        assert 'classes' not in file.metadata()
