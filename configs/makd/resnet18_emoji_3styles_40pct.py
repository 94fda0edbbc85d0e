# MaKD with 40 % of the training data, as in the paper's Table 5: 40 % of three pictures a class.
# python tools/train.py configs/makd/resnet18_emoji_3styles_40pct.py
_base_ = ['./resnet18_emoji_3styles.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.4, dataset=_base_.train_dataloader.dataset)
)
