# ResNet-18 on 80 % of Caltech-101. Paper, Table 5: 68.84 % top-1.
# python tools/train.py configs/baseline/resnet18_caltech101_80pct.py
_base_ = ['./resnet18_caltech101.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.8, dataset=_base_.train_dataloader.dataset)
)
