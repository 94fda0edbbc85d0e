"""Two multimodal LLMs that annotate, in their true size or tiny, with random weights: no hub is needed.

The dimensions are written down by hand, from the models' published configs. A tile is an image of 448 x 448 pixels,
256 tokens for the language model; Qwen2.5-VL, which does not cut images into tiles, gets one as wide as all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.device import get_device
from prefix_workload import prompt_ids
from torch import Tensor

_IMAGE, _VIDEO, _VISION_START, _VISION_END = 10, 11, 12, 13  # ids that no ordinary token has
_PATCH, _TINY_PATCH = 14, 7


@dataclass(frozen=True)
class Shape:
    """A model's shape.

    Attributes:
        name: The checkpoint's name.
        config: Returns the config of the true size, or of the tiny one: ``config(tiny)``.
        inputs: Returns the inputs of a prefix with random pixels: ``inputs(config, tiles)``.
    """

    name: str
    config: Callable[[bool], Any]
    inputs: Callable[[Any, int], dict[str, Tensor]]

    def model(self, tiny: bool) -> torch.nn.Module:
        """Return the model with random weights, made on the device: on the CPU it would take minutes."""
        from transformers import AutoModelForImageTextToText

        with torch.device(get_device()):
            model = AutoModelForImageTextToText.from_config(
                self.config(tiny), dtype=torch.bfloat16, attn_implementation='sdpa'
            )
        return model.eval()


def _text(tiny: bool, **more: Any) -> dict[str, Any]:
    """Return the language model that both have: Qwen2.5-7B's."""
    size = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=600)
    if not tiny:
        size = dict(hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28)
    return {
        **size,
        'num_key_value_heads': 2 if tiny else 4,
        'tie_word_embeddings': False,
        'pad_token_id': 0,
        'bos_token_id': None,
        'eos_token_id': None,
        **more,
    }


def _internvl3_8b(tiny: bool) -> Any:
    from transformers import InternVLConfig

    size = dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16)
    side, patch = 32 * _PATCH, _PATCH
    if tiny:
        size = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
        side, patch = 4 * _TINY_PATCH, _TINY_PATCH
    return InternVLConfig(
        vision_config=dict(**size, attention_bias=True, image_size=[side, side], patch_size=[patch, patch]),
        text_config=_text(tiny, model_type='qwen2', vocab_size=600 if tiny else 151674),
        image_token_id=_IMAGE,
    )


def _internvl_inputs(config: Any, tiles: int) -> dict[str, Tensor]:
    vision = config.vision_config
    patches = (vision.image_size[0] // vision.patch_size[0]) ** 2
    tokens = tiles * int(patches * config.downsample_ratio**2)
    pixels = torch.randn(tiles, 3, *vision.image_size)
    return {'input_ids': prompt_ids([_IMAGE] * tokens), 'pixel_values': pixels}


def _qwen2_5_vl_7b(tiny: bool) -> Any:
    from transformers import Qwen2_5_VLConfig

    size = dict(hidden_size=1280, intermediate_size=3420, depth=32, num_heads=16, patch_size=_PATCH)
    window = dict(window_size=112, fullatt_block_indexes=[7, 15, 23, 31], out_hidden_size=3584)
    if tiny:
        size = dict(hidden_size=32, intermediate_size=48, depth=2, num_heads=4, patch_size=_TINY_PATCH)
        window = dict(window_size=4 * _TINY_PATCH, fullatt_block_indexes=[1], out_hidden_size=32)
    sections = [1, 1, 2] if tiny else [16, 24, 24]
    return Qwen2_5_VLConfig(
        vision_config={**size, **window},
        text_config=_text(
            tiny,
            vocab_size=600 if tiny else 152064,
            rope_scaling=dict(rope_type='default', rope_theta=1e6, mrope_section=sections),
        ),
        image_token_id=_IMAGE,
        video_token_id=_VIDEO,
        vision_start_token_id=_VISION_START,
        vision_end_token_id=_VISION_END,
    )


def _qwen_inputs(config: Any, tiles: int) -> dict[str, Tensor]:
    vision = config.vision_config
    side = 4 if vision.patch_size == _TINY_PATCH else 32
    height, width = side, side * tiles
    tokens = height * width // vision.spatial_merge_size**2
    ids = prompt_ids([_VISION_START, *[_IMAGE] * tokens, _VISION_END])
    patch = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    return {
        'input_ids': ids,
        'mm_token_type_ids': (ids == _IMAGE).int(),  # which transformers 5 asks for
        'pixel_values': torch.randn(height * width, patch),
        'image_grid_thw': torch.tensor([[1, height, width]]),
    }


SHAPES = (
    Shape('InternVL3-8B-hf', _internvl3_8b, _internvl_inputs),
    Shape('Qwen2.5-VL-7B-Instruct', _qwen2_5_vl_7b, _qwen_inputs),
)
