# The frozen teacher: the ResNet-34 of configs/baseline/resnet34_emoji.py. Train it first.
teacher = dict(
    teacher='configs/baseline/resnet34_emoji.py',
    teacher_checkpoint='work_dirs/baseline/resnet34_emoji/epoch_40.pth',
)
