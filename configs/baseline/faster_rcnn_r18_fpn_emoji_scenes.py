# The plain student on EmojiScenes: Faster R-CNN with FPN on a half-width ResNet-18.
# python tools/train.py configs/baseline/faster_rcnn_r18_fpn_emoji_scenes.py
_base_ = [
    '../_base_/models/faster_rcnn_r18_half_fpn.py',
    '../_base_/datasets/emoji_scenes.py',
    '../_base_/schedules/emoji_scenes.py',
    '../_base_/det_runtime.py',
]
