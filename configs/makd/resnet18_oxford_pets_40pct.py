# MaKD: ResNet-18 on 40 % of OxfordPets. Paper, Table 5: 58.45 % top-1 (baseline 50.71 %).
# python tools/train.py configs/makd/resnet18_oxford_pets_40pct.py
_base_ = ['./resnet18_oxford_pets.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.4, dataset=_base_.train_dataloader.dataset)
)
