# COCO 2017, training and validation, answered by InternVL3-8B.
# bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco.py 8
# The questions come from configs/questions/coco_gpt4o.py, or are written by hand.
_base_ = ['../_base_/annotate.py', '../_base_/annotators/internvl3_8b.py', '../_base_/datasets/coco_annotate.py']

model = dict(questions='data/coco/aspects/questions.json', top=50)
writer = dict(out_dir='data/coco/aspects/internvl3_8b', shard_size=1024)
