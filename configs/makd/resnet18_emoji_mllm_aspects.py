# Aspect pre-training: the student learns the bundled MLLM's answers about three styles, and no class. Its weights are
# where configs/makd/resnet18_emoji_mllm_pretrained.py begins.
# make annotate && python tools/train.py configs/makd/resnet18_emoji_mllm_aspects.py
_base_ = ['./resnet18_emoji_mllm_3styles.py']

model = dict(head=dict(loss=dict(type='CrossEntropyLoss', loss_weight=0.0)))
