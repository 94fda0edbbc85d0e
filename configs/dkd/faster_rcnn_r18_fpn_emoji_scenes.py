# DKD on EmojiScenes: the trained plain student teaches another one (born-again networks, Furlanello et al. 2018).
# python tools/train.py configs/dkd/faster_rcnn_r18_fpn_emoji_scenes.py
_base_ = [
    '../baseline/faster_rcnn_r18_fpn_emoji_scenes.py',
    '../_base_/distill/faster_rcnn_r18_emoji_scenes.py',
    '../_base_/distill/dkd_detection.py',
]

model = dict(type='makd.DistillFasterRCNN', **_base_.distill, **_base_.teacher)
