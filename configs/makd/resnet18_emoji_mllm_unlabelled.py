# MaKD with images that nobody has labelled: the labels of Noto's 849 images, and the bundled MLLM's answers about those
# and about 1,698 of blob and Fluent. A batch has as many labelled images as without them, and as many others, so an
# epoch has the same steps. No style is left for validation.
# make annotate && python tools/train.py configs/makd/resnet18_emoji_mllm_unlabelled.py
_base_ = ['./resnet18_emoji_mllm.py']

unlabelled = dict(type='makd.EmojiDataset', data_root='data/emoji', styles=['blob', 'fluent'])
train_dataloader = dict(batch_size=32, unlabelled=dict(dataset=unlabelled, labelled_share=0.5))
auto_scale_lr = dict(base_batch_size=32)
val_dataloader = val_evaluator = val_cfg = None
