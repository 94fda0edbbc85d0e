# MaKD: ResNet-18 on 80 % of Caltech-101. Paper, Table 5: 72.35 % top-1 (baseline 68.84 %).
# python tools/train.py configs/makd/resnet18_caltech101_80pct.py
_base_ = ['./resnet18_caltech101.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.8, dataset=_base_.train_dataloader.dataset)
)
