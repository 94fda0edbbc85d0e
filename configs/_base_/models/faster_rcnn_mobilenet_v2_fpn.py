# faster_rcnn_r50_fpn.py with MobileNet-V2.
_base_ = ['./faster_rcnn_r50_fpn.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='makd.MobileNetV2Stages',
        out_indices=(1, 2, 4, 6),
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://mmdet/mobilenet_v2'),
    ),
    neck=dict(in_channels=[24, 32, 96, 320]),
)
