# ResNet-18 on 40 % of Caltech-101. Paper, Table 5: 57.74 % top-1.
# python tools/train.py configs/baseline/resnet18_caltech101_40pct.py
_base_ = ['./resnet18_caltech101.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.4, dataset=_base_.train_dataloader.dataset)
)
