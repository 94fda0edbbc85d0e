# MaKD with a transformer student: DeiT-Tiny also answers 66 yes/no questions about each emoji.
# python tools/train.py configs/makd/deit_tiny_emoji.py
_base_ = [
    '../_base_/models/deit_tiny.py',
    '../_base_/datasets/emoji_cldr.py',
    '../_base_/schedules/emoji_adamw.py',
    '../_base_/makd_runtime.py',
]

model = dict(
    head=dict(
        type='makd.MaKDVisionTransformerClsHead',
        num_aspects=_base_.num_aspects,
        aspect_loss=dict(type='makd.MaKDLoss', loss_weight=4.0),
    )
)
