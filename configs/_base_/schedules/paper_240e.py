# The paper's schedule for the fine-grained datasets and Caltech-101 (section 4.1): SGD at 0.01 with batches of 16 on
# one device, momentum 0.9, weight decay 5e-4, 240 epochs, divided by 10 at 150, 180 and 210.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[150, 180, 210], gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=240)
val_cfg = None
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
