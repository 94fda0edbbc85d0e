# MaKD: ResNet-18 on 40 % of StanfordCars. Paper, Table 5: 49.75 % top-1 (baseline 25.74 %).
# python tools/train.py configs/makd/resnet18_stanford_cars_40pct.py
_base_ = ['./resnet18_stanford_cars.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.4, dataset=_base_.train_dataloader.dataset)
)
