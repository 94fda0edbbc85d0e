# The frozen teacher: mmpretrain's ResNet-34 for ImageNet-1k.
teacher = dict(
    teacher='configs/baseline/resnet34_imagenet.py',
    teacher_checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/resnet34_8xb32_in1k_20210831-f257d4e6.pth',
)
