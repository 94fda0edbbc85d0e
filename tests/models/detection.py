"""Very small mmdet detectors and batches for tests."""

import torch
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData

C, Q = 3, 5
STAGES = (8, 16, 32, 64)  # channels of the backbone's stages
BASES = {
    'FasterRCNN': '_base_/models/faster-rcnn_r50_fpn.py',
    'RetinaNet': '_base_/models/retinanet_r50_fpn.py',
    'DETR': 'detr/detr_r50_8xb2-150e_coco.py',
    'ConditionalDETR': 'conditional_detr/conditional-detr_r50_8xb2-50e_coco.py',
}
SMALL = {
    'FasterRCNN': dict(
        neck=dict(in_channels=list(STAGES), out_channels=8),
        rpn_head=dict(in_channels=8, feat_channels=8),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=8),
            bbox_head=dict(in_channels=8, fc_out_channels=16, num_classes=C),
        ),
        test_cfg=dict(rcnn=dict(score_thr=0.0)),
    ),
    'RetinaNet': dict(
        neck=dict(in_channels=list(STAGES), out_channels=8),
        bbox_head=dict(num_classes=C, in_channels=8, feat_channels=8, stacked_convs=1),
        test_cfg=dict(score_thr=0.0),
    ),
    'DETR': dict(
        num_queries=6,
        neck=dict(in_channels=[STAGES[-1]], out_channels=32),
        encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=dict(embed_dims=32), ffn_cfg=dict(embed_dims=32))),
        decoder=dict(
            num_layers=2,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=32), cross_attn_cfg=dict(embed_dims=32), ffn_cfg=dict(embed_dims=32)
            ),
        ),
        positional_encoding=dict(num_feats=16),
        bbox_head=dict(num_classes=C, embed_dims=32),
        test_cfg=dict(max_per_img=5),
    ),
}


# Its decoder has 256 channels built in.
SMALL['ConditionalDETR'] = dict(
    num_queries=6,
    neck=dict(in_channels=[STAGES[-1]]),
    encoder=dict(num_layers=1),
    decoder=dict(num_layers=2),
    bbox_head=dict(num_classes=C),
    test_cfg=dict(max_per_img=5),
)


def detector_config(kind, **changes):
    """Return the config of a plain detector of mmdet in small, with changes."""
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    cfg = Config.fromstring(f"_base_ = ['mmdet::{BASES[kind]}']", '.py')
    cfg.merge_from_dict(
        {'model': dict(backbone=dict(depth=18, base_channels=8, stem_channels=8, frozen_stages=-1, init_cfg=None))}
    )
    cfg.merge_from_dict({'model': SMALL[kind]})
    cfg.merge_from_dict({'model': changes})
    return cfg.model


def build(kind, seed=0, **changes):
    torch.manual_seed(seed)
    model = MODELS.build(detector_config(kind, **changes))
    model.init_weights()
    return model


def makd(kind, **aspect_head):
    head = dict(type='makd.AspectHead', num_aspects=Q, in_channels=STAGES[-1])
    return dict(type=f'makd.MaKD{kind}', aspect_head={**head, **aspect_head})


def batch(
    model,
    sizes=((64, 96), (64, 96)),
    boxes=((8, 8, 40, 40), (50, 10, 90, 60)),
    num_aspects=Q,
    num_region_aspects=Q,
    seed=0,
    training=True,
):
    """Return a preprocessed batch: images of these sizes, each with these boxes, of classes 0, 1, ..."""
    draw = torch.Generator().manual_seed(seed)
    samples = [
        DetDataSample(
            metainfo=dict(img_id=number, img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0)),
            gt_instances=InstanceData(
                bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                labels=torch.arange(len(boxes)) % C,
            ),
        )
        for number, size in enumerate(sizes)
    ]
    for sample in samples:
        sample.set_field(torch.rand(num_aspects, generator=draw), 'gt_aspects')
    answers = torch.Generator().manual_seed(seed + 1)
    for sample in samples:
        sample.gt_instances.aspects = torch.rand(len(boxes), num_region_aspects, generator=answers)
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=draw) for size in sizes]
    return model.data_preprocessor({'inputs': images, 'data_samples': samples}, training=training)
