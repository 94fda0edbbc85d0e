# mdistiller's schedule, for MobileNet-V2: 180,000 steps of 8 images, divided by 10 after 120,000 and 160,000.
_base_ = ['./coco_90k.py']

optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=False, milestones=[120_000, 160_000], gamma=0.1),
]
train_cfg = dict(max_iters=180_000)
auto_scale_lr = dict(base_batch_size=8)
