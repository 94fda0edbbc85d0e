# The paper's optimiser (section 4.1: SGD 0.01, momentum 0.9, weight decay 5e-4, batch 16, divided by 10 at 5/8, 6/8 and
# 7/8 of the epochs), with fewer epochs.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[50, 60, 70], gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=80, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
