# The frozen teacher: the EfficientNet-B0 of configs/baseline/efficientnet_b0_stanford_cars.py. Train it first.
teacher = dict(
    teacher='configs/baseline/efficientnet_b0_stanford_cars.py',
    teacher_checkpoint='work_dirs/baseline/efficientnet_b0_stanford_cars/epoch_240.pth',
)
