# AdamW with warm-up and cosine decay, as is usual for transformers, with the epochs and the batch size of the paper's
# schedule (paper_240e.py).
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            '.cls_token': dict(decay_mult=0.0),
            '.pos_embed': dict(decay_mult=0.0),
            '.absolute_pos_embed': dict(decay_mult=0.0),
            '.relative_position_bias_table': dict(decay_mult=0.0),
        },
    ),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=True, begin=0, end=20, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=20, end=240, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=240)
val_cfg = None
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
