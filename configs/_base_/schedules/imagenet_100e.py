# mdistiller's schedule for ImageNet, which the paper uses for Mini-ImageNet (section 4.1): SGD at 0.2 with batches of
# 512 in all, momentum 0.9, weight decay 1e-4, 100 epochs, divided by 10 at 30, 60 and 90.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=1e-4))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[30, 60, 90], gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=100)
val_cfg = None
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=512)
