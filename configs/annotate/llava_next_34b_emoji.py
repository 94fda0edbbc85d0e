# The emoji, in all five styles, answered by LLaVA-NeXT 34B (the paper's Table 3).
# python tools/annotate.py configs/annotate/llava_next_34b_emoji.py
_base_ = ['../_base_/annotate.py', '../_base_/annotators/llava_next_34b.py', '../_base_/datasets/emoji_annotate.py']

model = dict(questions='data/emoji/aspects/questions.json')
writer = dict(out_dir='work_dirs/targets/emoji_llava_next_34b')
