# Faster R-CNN with FPN (Ren et al. 2015; Lin et al. 2017) for EmojiScenes on a CPU: a half-width ResNet-18 initialised
# from the emoji classifier, levels of 64 channels at strides 8, 16 and 32, and a small head.
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py']

model = dict(
    data_preprocessor=dict(mean=[124.0, 117.0, 104.0], std=[70.0, 70.0, 70.0]),  # the emoji classifier's
    backbone=dict(
        depth=18,
        stem_channels=32,
        base_channels=32,
        norm_eval=False,
        init_cfg=dict(
            type='Pretrained', checkpoint='data/backbones/resnet18-half-emoji-grounds/backbone.pth', prefix='backbone.'
        ),
    ),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64, start_level=1, num_outs=3, norm_cfg=dict(type='BN')),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(scales=[4, 5.66], strides=[8, 16, 32]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64, featmap_strides=[8, 16, 32], roi_layer=dict(sampling_ratio=2)),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=10),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=400, max_per_img=200),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=400, max_per_img=200)),
)
