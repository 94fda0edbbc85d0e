# The emoji, in all five styles, answered by SmolVLM2 2.2B.
# python tools/annotate.py configs/annotate/smolvlm2_2b_emoji.py
_base_ = ['../_base_/annotate.py', '../_base_/annotators/smolvlm2_2b.py', '../_base_/datasets/emoji_annotate.py']

model = dict(questions='data/emoji/aspects/questions.json')
writer = dict(out_dir='work_dirs/targets/emoji_smolvlm2_2b')
