# Mini-ImageNet, training and test, answered by InternVL2-8B, the paper's MLLM, on a server.
# python tools/annotate.py configs/annotate/internvl2_8b_mini_imagenet.py
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = [
    '../_base_/annotate.py',
    '../_base_/annotators/internvl2_8b_server.py',
    '../_base_/datasets/mini_imagenet_annotate.py',
]

model = dict(questions='data/mini_imagenet/aspects/questions.json', top=50)
writer = dict(out_dir='data/mini_imagenet/aspects/internvl2_8b')
