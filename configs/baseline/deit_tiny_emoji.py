# A transformer student's baseline: DeiT-Tiny from scratch on the emoji.
# python tools/train.py configs/baseline/deit_tiny_emoji.py
_base_ = [
    '../_base_/models/deit_tiny.py',
    '../_base_/datasets/emoji.py',
    '../_base_/schedules/emoji_adamw.py',
    '../_base_/default_runtime.py',
]
