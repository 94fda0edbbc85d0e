from makd.models.heads.makd_head import (
    MaKDHeadMixin,
    MaKDLinearClsHead,
    MaKDStackedLinearClsHead,
    MaKDVisionTransformerClsHead,
)

__all__ = ['MaKDHeadMixin', 'MaKDLinearClsHead', 'MaKDStackedLinearClsHead', 'MaKDVisionTransformerClsHead']
