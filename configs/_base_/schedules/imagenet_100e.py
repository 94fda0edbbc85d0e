# mdistiller's schedule for ImageNet, which the paper uses for Mini-ImageNet (section 4.1): SGD with a learning rate of
# 0.2 and a total batch of 512, momentum 0.9, weight decay 1e-4, 100 epochs, divided by 10 after 30, 60 and 90.
_base_ = ['./paper_240e.py']

optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=1e-4))
param_scheduler = dict(milestones=[30, 60, 90])
train_cfg = dict(max_epochs=100)
auto_scale_lr = dict(base_batch_size=512)
