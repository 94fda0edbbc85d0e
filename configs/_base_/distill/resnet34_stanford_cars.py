# The frozen teacher: the ResNet-34 of configs/baseline/resnet34_stanford_cars.py. Train it first.
teacher = dict(
    teacher='configs/baseline/resnet34_stanford_cars.py',
    teacher_checkpoint='work_dirs/baseline/resnet34_stanford_cars/epoch_240.pth',
)
