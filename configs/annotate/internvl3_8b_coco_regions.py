# The thing in each box of COCO 2017, cut out, answered by InternVL3-8B: 860,001 boxes in training, less its crowds.
# bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco_regions.py 8
# 1 % of the training images: --cfg-options dataloader.dataset.datasets.0.fraction=0.01, with another writer.out_dir.
# The questions come from configs/questions/coco_gpt4o.py, or are written by hand. A cut-out is one tile.
_base_ = [
    '../_base_/annotate.py',
    '../_base_/annotators/internvl3_8b.py',
    '../_base_/datasets/coco_regions_annotate.py',
]

model = dict(questions='data/coco/aspects/questions.json', top=50, processor=dict(max_patches=1))
writer = dict(out_dir='data/coco/aspects/internvl3_8b_regions', shard_size=1024)
