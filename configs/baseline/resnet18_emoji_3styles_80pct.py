# The baseline with 80 % of the training data, as in the paper's Table 5: 80 % of three pictures a class.
# python tools/train.py configs/baseline/resnet18_emoji_3styles_80pct.py
_base_ = ['./resnet18_emoji_3styles.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='makd.SubsetDataset', fraction=0.8, dataset=_base_.train_dataloader.dataset)
)
