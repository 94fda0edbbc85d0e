# DeiT-Tiny (Touvron et al., ICML 2021) with patches of 4 pixels for images of 32, for the 849 emoji.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='VisionTransformer', arch='deit-tiny', img_size=32, patch_size=4, drop_path_rate=0.1),
    head=dict(type='VisionTransformerClsHead', num_classes=849, in_channels=192),
)
