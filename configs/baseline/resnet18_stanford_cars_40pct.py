# ResNet-18 on 40 % of StanfordCars. Paper, Table 5: 25.74 % top-1.
# python tools/train.py configs/baseline/resnet18_stanford_cars_40pct.py
_base_ = ['./resnet18_stanford_cars.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.4, dataset=_base_.train_dataloader.dataset)
)
