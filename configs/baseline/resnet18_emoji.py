# The baseline: half-width ResNet-18 learns 849 emoji from one image of each.
# python tools/train.py configs/baseline/resnet18_emoji.py
_base_ = [
    '../_base_/models/resnet18_half.py',
    '../_base_/datasets/emoji.py',
    '../_base_/schedules/emoji.py',
    '../_base_/default_runtime.py',
]
