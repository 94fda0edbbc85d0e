# ViT-S/16, as DeiT trains it from scratch (Touvron et al., ICML 2021).
model = dict(
    type='ImageClassifier',
    backbone=dict(type='VisionTransformer', arch='deit-small', img_size=224, patch_size=16),
    head=dict(type='VisionTransformerClsHead', num_classes=1000, in_channels=384),
    init_cfg=[
        dict(type='TruncNormal', layer='Linear', std=0.02),
        dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
    ],
)

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/deit/deit-small_pt-4xb256_in1k_20220218-9425b9bb.pth'
