# The frozen teacher: the plain student. Train it first:
# python tools/train.py configs/baseline/faster_rcnn_r18_fpn_emoji_scenes.py
teacher = dict(
    teacher='configs/baseline/faster_rcnn_r18_fpn_emoji_scenes.py',
    teacher_checkpoint='work_dirs/baseline/faster_rcnn_r18_fpn_emoji_scenes/epoch_8.pth',
)
