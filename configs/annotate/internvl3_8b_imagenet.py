# ImageNet-1k, training and validation, answered by InternVL3-8B.
# bash tools/dist_annotate.sh configs/annotate/internvl3_8b_imagenet.py 8
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = ['../_base_/annotate.py', '../_base_/annotators/internvl3_8b.py', '../_base_/datasets/imagenet_annotate.py']

model = dict(questions='data/imagenet/aspects/questions.json', top=50)
writer = dict(out_dir='data/imagenet/aspects/internvl3_8b', shard_size=1024)
