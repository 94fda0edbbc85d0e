# The emoji, in all five styles, answered by InternVL2-8B, the paper's MLLM, on a server.
# python tools/annotate.py configs/annotate/internvl2_8b_emoji.py
_base_ = [
    '../_base_/annotate.py',
    '../_base_/annotators/internvl2_8b_server.py',
    '../_base_/datasets/emoji_annotate.py',
]

model = dict(questions='data/emoji/aspects/questions.json')
writer = dict(out_dir='work_dirs/targets/emoji_internvl2_8b')
