# ResNet-18 on 80 % of StanfordCars. Paper, Table 5: 69.72 % top-1.
# python tools/train.py configs/baseline/resnet18_stanford_cars_80pct.py
_base_ = ['./resnet18_stanford_cars.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.8, dataset=_base_.train_dataloader.dataset)
)
