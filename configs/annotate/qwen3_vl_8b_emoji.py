# The emoji, in all five styles, answered by Qwen3-VL-8B.
# python tools/annotate.py configs/annotate/qwen3_vl_8b_emoji.py
_base_ = ['../_base_/annotate.py', '../_base_/annotators/qwen3_vl_8b.py', '../_base_/datasets/emoji_annotate.py']

model = dict(questions='data/emoji/aspects/questions.json')
writer = dict(out_dir='work_dirs/targets/emoji_qwen3_vl_8b')
