# DIST on EmojiScenes: the trained plain student teaches another one.
# python tools/train.py configs/dist/faster_rcnn_r18_fpn_emoji_scenes.py
_base_ = [
    '../baseline/faster_rcnn_r18_fpn_emoji_scenes.py',
    '../_base_/distill/faster_rcnn_r18_emoji_scenes.py',
    '../_base_/distill/dist_detection.py',
]

model = dict(type='makd.DistillFasterRCNN', **_base_.distill, **_base_.teacher)
