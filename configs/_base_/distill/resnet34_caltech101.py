# The frozen teacher: the ResNet-34 of configs/baseline/resnet34_caltech101.py. Train it first.
teacher = dict(
    teacher='configs/baseline/resnet34_caltech101.py',
    teacher_checkpoint='work_dirs/baseline/resnet34_caltech101/epoch_240.pth',
)
