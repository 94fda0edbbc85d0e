# The emoji, in all five styles, answered by Qwen2.5-VL-7B.
# python tools/annotate.py configs/annotate/qwen2_5_vl_7b_emoji.py
_base_ = ['../_base_/annotate.py', '../_base_/annotators/qwen2_5_vl_7b.py', '../_base_/datasets/emoji_annotate.py']

model = dict(questions='data/emoji/aspects/questions.json')
writer = dict(out_dir='work_dirs/targets/emoji_qwen2_5_vl_7b')
