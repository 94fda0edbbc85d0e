# ResNet-18 on 60 % of StanfordCars. Paper, Table 5: 54.78 % top-1.
# python tools/train.py configs/baseline/resnet18_stanford_cars_60pct.py
_base_ = ['./resnet18_stanford_cars.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.6, dataset=_base_.train_dataloader.dataset)
)
