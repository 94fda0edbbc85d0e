"""Every config for annotation: loads, says how it is run, and its annotator is built on a small model of its family."""

from pathlib import Path

import numpy as np
import pytest
from annotation import tiny_models
from mmengine.config import Config
from PIL import Image

from makd.config import check_makd_types
from makd.registry import MODELS

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.relative_to(ROOT) for path in ROOT.glob('configs/annotate/*.py'))
FAMILIES = {
    'OpenGVLab/InternVL3-8B-hf': 'internvl',
    'llava-hf/llava-v1.6-34b-hf': 'llava_next',
    'Qwen/Qwen2.5-VL-7B-Instruct': 'qwen2_5_vl',
    'Qwen/Qwen3-VL-8B-Instruct': 'qwen3_vl',
    'HuggingFaceTB/SmolVLM2-2.2B-Instruct': 'smolvlm',
}


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_config(path):
    text = (ROOT / path).read_text()
    assert f'tools/annotate.py {path}' in text or f'tools/dist_annotate.sh {path}' in text
    cfg = Config.fromfile(ROOT / path)
    check_makd_types(cfg)
    assert cfg.test_evaluator.out_dir
    assert cfg.test_dataloader.dataset.type == 'makd.AnnotationImages'


@pytest.mark.parametrize('name', FAMILIES)
def test_annotator(name, tmp_path):
    (fragment,) = (
        path for path in ROOT.glob('configs/_base_/annotators/*.py') if f"model='{name}'" in path.read_text()
    )
    settings = Config.fromfile(fragment).model.to_dict()
    folder = tiny_models.save_model(FAMILIES[name], tmp_path / 'model')
    settings.update(model=folder, device_map=None, questions=str(ROOT / 'data/emoji/aspects/questions.json'), top=3)
    annotator = MODELS.build(settings)
    noise = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    inputs = annotator.preparer(Image.fromarray(noise))
    assert annotator.start(inputs)['scoring'] != 'naive'
    (answer,) = annotator.answer([inputs])
    assert answer.logprobs.shape == (3, 2)
    assert (answer.logprobs < 0).all()
