# DKD on EmojiScenes: the plain student, once it is trained, teaches another (born again, Furlanello et al. 2018).
# python tools/train.py configs/dkd/faster_rcnn_r18_fpn_emoji_scenes.py
_base_ = [
    '../baseline/faster_rcnn_r18_fpn_emoji_scenes.py',
    '../_base_/distill/faster_rcnn_r18_emoji_scenes.py',
    '../_base_/distill/dkd_detection.py',
]

model = dict(
    type='makd.DistillFasterRCNN',
    roi_head=dict(type='makd.DistillRoIHead'),
    distill_loss=_base_.distill_loss,
    **_base_.teacher,
)
