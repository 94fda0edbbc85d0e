# The frozen teacher: the plain student of configs/baseline/faster_rcnn_r18_fpn_emoji_scenes.py. Train it first.
teacher = dict(
    teacher='configs/baseline/faster_rcnn_r18_fpn_emoji_scenes.py',
    teacher_checkpoint='work_dirs/faster_rcnn_r18_fpn_emoji_scenes/epoch_8.pth',
)
