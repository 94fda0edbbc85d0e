# MaKD on a part of the labels of Caltech-101 and all of the answers: a batch has 16 labelled images, as without the
# others, and 16 of the whole training set, whose labels are not looked at.
# python tools/train.py configs/makd/resnet18_caltech101_unlabelled.py --cfg-options train_dataloader.fraction=0.4
_base_ = ['./resnet18_caltech101.py']

unlabelled = dict(dataset=_base_.train_dataloader.dataset, labelled_share=0.5)
train_dataloader = dict(batch_size=32, unlabelled=unlabelled)
auto_scale_lr = dict(base_batch_size=32)
