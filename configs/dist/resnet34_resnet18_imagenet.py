# DIST on ImageNet-1k: ResNet-34 teaches ResNet-18, both weights 2, temperature 1 (from memory: see README.md).
# The schedule is that of all four papers: batches of 512 at 0.2, or of 256 at 0.1.
# bash tools/dist_train.sh configs/dist/resnet34_resnet18_imagenet.py 8 \
#     --cfg-options train_dataloader.batch_size=64
# On one GPU: python tools/train.py configs/dist/resnet34_resnet18_imagenet.py
_base_ = ['../baseline/resnet18_imagenet.py', '../_base_/distill/resnet34_imagenet.py']

distill_loss = dict(type='makd.DISTLoss', loss_weight=2.0)
model = dict(type='makd.DistillImageClassifier', distill_loss=distill_loss, **_base_.teacher)
