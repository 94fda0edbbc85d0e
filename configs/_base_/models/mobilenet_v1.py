# MobileNet-V1 (Howard et al., 2017), as in mdistiller.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='makd.MobileNetV1'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=1000, in_channels=1024),
)
