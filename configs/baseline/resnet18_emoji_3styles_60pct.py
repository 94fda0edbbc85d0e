# The baseline with 60 % of the training data, as in the paper's Table 5: 60 % of three pictures a class.
# python tools/train.py configs/baseline/resnet18_emoji_3styles_60pct.py
_base_ = ['./resnet18_emoji_3styles.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.6, dataset=_base_.train_dataloader.dataset)
)
