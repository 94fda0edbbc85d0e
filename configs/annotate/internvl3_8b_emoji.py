# The emoji, in all five styles, answered by InternVL3-8B.
# python tools/annotate.py configs/annotate/internvl3_8b_emoji.py
_base_ = ['../_base_/annotate.py', '../_base_/annotators/internvl3_8b.py', '../_base_/datasets/emoji_annotate.py']

model = dict(questions='data/emoji/aspects/questions.json')
writer = dict(out_dir='work_dirs/targets/emoji_internvl3_8b')
