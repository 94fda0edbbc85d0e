# ImageNet-1k, training and validation, to be annotated: 1,331,167 images. Layout as in mmpretrain; keys such as
# train/n01440764/n01440764_10026.JPEG.
_base_ = ['./imagenet.py', './photographs_annotate.py']

images = [dict(part.dataset, _scope_='mmpretrain') for part in (_base_.train_dataloader, _base_.test_dataloader)]
dataloader = dict(dataset=dict(data_root='data/imagenet', datasets=images))
train_dataloader = test_dataloader = test_evaluator = data_preprocessor = None
