# MaKD: ResNet-18 on 80 % of OxfordPets. Paper, Table 5: 78.41 % top-1 (baseline 72.33 %).
# python tools/train.py configs/makd/resnet18_oxford_pets_80pct.py
_base_ = ['./resnet18_oxford_pets.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.8, dataset=_base_.train_dataloader.dataset)
)
