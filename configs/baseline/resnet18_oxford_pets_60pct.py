# ResNet-18 on 60 % of OxfordPets. Paper, Table 5: 64.21 % top-1.
# python tools/train.py configs/baseline/resnet18_oxford_pets_60pct.py
_base_ = ['./resnet18_oxford_pets.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.6, dataset=_base_.train_dataloader.dataset)
)
