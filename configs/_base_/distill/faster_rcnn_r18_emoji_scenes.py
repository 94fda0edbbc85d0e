# The frozen teacher: the plain student. Train it first, in a folder of its own, since that of MaKD has the same name:
# python tools/train.py configs/baseline/faster_rcnn_r18_fpn_emoji_scenes.py --work-dir work_dirs/emoji_scenes_teacher
teacher = dict(
    teacher='configs/baseline/faster_rcnn_r18_fpn_emoji_scenes.py',
    teacher_checkpoint='work_dirs/emoji_scenes_teacher/epoch_8.pth',
)
