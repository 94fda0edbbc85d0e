# Stanford Cars (Krause et al., 2013): 8,144 training and 8,041 test images of 196 models of cars, as published.
# python tools/prepare_dataset.py stanford_cars
_base_ = ['./photographs.py']

data_root = 'data/stanford_cars'
num_classes = 196
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(type='StanfordCars', data_root=data_root, split='train'))
test_dataloader = dict(dataset=dict(type='StanfordCars', data_root=data_root, split='test'))
