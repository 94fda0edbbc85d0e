# MaKD: ResNet-18 on 60 % of Caltech-101. Paper, Table 5: 67.77 % top-1 (baseline 64.70 %).
# python tools/train.py configs/makd/resnet18_caltech101_60pct.py
_base_ = ['./resnet18_caltech101.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.6, dataset=_base_.train_dataloader.dataset)
)
