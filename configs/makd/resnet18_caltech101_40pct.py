# MaKD: ResNet-18 on 40 % of Caltech-101. Paper, Table 5: 61.30 % top-1 (baseline 57.74 %).
# python tools/train.py configs/makd/resnet18_caltech101_40pct.py
_base_ = ['./resnet18_caltech101.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.4, dataset=_base_.train_dataloader.dataset)
)
