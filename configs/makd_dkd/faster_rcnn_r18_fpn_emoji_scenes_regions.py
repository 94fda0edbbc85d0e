# MaKD on regions + DKD on EmojiScenes: the trained plain student teaches the student whose region head answers
# questions.
# python tools/train.py configs/makd_dkd/faster_rcnn_r18_fpn_emoji_scenes_regions.py
_base_ = [
    '../makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py',
    '../_base_/distill/faster_rcnn_r18_emoji_scenes.py',
    '../_base_/distill/dkd_detection.py',
]

model = dict(type='makd.DistillFasterRCNN', **_base_.distill, **_base_.teacher)
