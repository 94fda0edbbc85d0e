# MaKD + DKD on EmojiScenes: the plain student, once it is trained, teaches the student of MaKD.
# python tools/train.py configs/makd_dkd/faster_rcnn_r18_fpn_emoji_scenes.py
_base_ = [
    '../makd/faster_rcnn_r18_fpn_emoji_scenes.py',
    '../_base_/distill/faster_rcnn_r18_emoji_scenes.py',
    '../_base_/distill/dkd_detection.py',
]

model = dict(
    type='makd.DistillMaKDFasterRCNN',
    roi_head=dict(type='makd.DistillRoIHead'),
    distill_loss=_base_.distill_loss,
    **_base_.teacher,
)
