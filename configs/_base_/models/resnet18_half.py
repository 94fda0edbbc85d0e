# ResNet-18 (He et al., CVPR 2016) at half width (2.8 million parameters) for the 849 emoji: a small
# network for small images.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet', depth=18, num_stages=4, out_indices=(3,), style='pytorch', stem_channels=32, base_channels=32
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=849, in_channels=256),
)
