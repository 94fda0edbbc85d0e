# The baseline of a transformer student: DeiT-Tiny on the emoji, from scratch.
# python tools/train.py configs/baseline/deit_tiny_emoji.py
_base_ = [
    '../_base_/models/deit_tiny.py',
    '../_base_/datasets/emoji.py',
    '../_base_/schedules/emoji_adamw.py',
    '../_base_/default_runtime.py',
]
