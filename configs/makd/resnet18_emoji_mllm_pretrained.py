# MaKD with the labels and answers of Noto, from weights that know the answers about three styles.
# python tools/train.py configs/makd/resnet18_emoji_mllm_aspects.py    # once
# python tools/train.py configs/makd/resnet18_emoji_mllm_pretrained.py
_base_ = ['./resnet18_emoji_mllm.py']

pretraining = 'configs/makd/resnet18_emoji_mllm_aspects.py'  # tools/reproduce.py runs it first
load_from = 'work_dirs/makd/resnet18_emoji_mllm_aspects/epoch_16.pth'
val_dataloader = val_evaluator = val_cfg = None
