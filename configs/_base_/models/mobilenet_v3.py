# MobileNet-V3-Large (Howard et al., ICCV 2019).
_base_ = ['mmpretrain::_base_/models/mobilenet_v3/mobilenet_v3_large_imagenet.py']

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = (
    'https://mmassets.onedl.ai/mmclassification/v0/mobilenet_v3/mobilenet-v3-large_8xb128_in1k_20221114-0ed9ed9a.pth'
)
