# The frozen teacher: the EfficientNet-B0 of configs/baseline/efficientnet_b0_caltech101.py. Train it first.
teacher = dict(
    teacher='configs/baseline/efficientnet_b0_caltech101.py',
    teacher_checkpoint='work_dirs/baseline/efficientnet_b0_caltech101/epoch_240.pth',
)
