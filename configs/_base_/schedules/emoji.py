# The paper's schedule, scaled down (section 4.1: SGD, momentum 0.9, weight decay 5e-4, batch 16, divided by 10 after
# 5/8, 6/8 and 7/8 of the epochs). 40 epochs are 2,120 steps, where the paper takes 122,000 on StanfordCars, so the
# learning rate is five times the paper's 0.01 (chosen on the validation styles).
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[25, 30, 35], gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=40, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
