# Detectron2's schedule "1x", for ResNets: 90,000 steps of 16 images, divided by 10 after 60,000 and 80,000. These are
# as many images, at the same rate for each, as in mdistiller's, coco_180k.py.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=False, milestones=[60_000, 80_000], gamma=0.1),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=90_000, val_interval=10_000)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
