# The emoji, in all five styles, answered by the bundled small MLLM in data/teachers/tiny-mllm-emoji, on a CPU.
# make annotate, or: python tools/annotate.py configs/annotate/tiny_mllm_emoji.py
_base_ = ['../_base_/annotate.py', '../_base_/datasets/emoji_annotate.py', '../_base_/annotators/tiny_mllm.py']
custom_imports = dict(imports=['makd', 'projects.tiny_mllm.hybrid_vision'], allow_failed_imports=False)

model = dict(questions='data/emoji/aspects/questions.json')
# The background of this model's training images.
dataloader = dict(dataset=dict(background=(124, 117, 104)))
writer = dict(out_dir='work_dirs/targets/emoji_tiny_mllm')
