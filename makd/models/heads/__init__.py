from makd.models.heads.aspect_head import AspectHead
from makd.models.heads.makd_head import (
    MaKDHeadMixin,
    MaKDLinearClsHead,
    MaKDStackedLinearClsHead,
    MaKDVisionTransformerClsHead,
)

__all__ = [
    'AspectHead',
    'MaKDHeadMixin',
    'MaKDLinearClsHead',
    'MaKDStackedLinearClsHead',
    'MaKDVisionTransformerClsHead',
]
