# CUB-200-2011, training and test, answered by InternVL2-8B, the paper's MLLM, on a server.
# python tools/annotate.py configs/annotate/internvl2_8b_cub200.py
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = [
    '../_base_/annotate.py',
    '../_base_/annotators/internvl2_8b_server.py',
    '../_base_/datasets/cub200_annotate.py',
]

model = dict(questions='data/cub200/aspects/questions.json', top=50)
writer = dict(out_dir='data/cub200/aspects/internvl2_8b')
