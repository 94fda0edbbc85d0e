# The thing in each box of COCO 2017, cut out, answered by OpenAI's decision model: a request with 50 questions for each
# of N boxes, 860,001 in training less its crowds. By docs/decisions.md, N (I + Q t) p / 1,000,000 dollars.
# python tools/annotate.py configs/annotate/gpt_decisions_coco_regions.py --estimate
# python tools/annotate.py configs/annotate/gpt_decisions_coco_regions.py
# 1 % of the training images: --cfg-options dataloader.dataset.datasets.0.fraction=0.01, with another writer.out_dir.
# The questions come from configs/questions/coco_gpt4o.py, or are written by hand.
_base_ = [
    '../_base_/annotate.py',
    '../_base_/annotators/gpt_decisions.py',
    '../_base_/datasets/coco_regions_annotate.py',
]

model = dict(
    client=dict(max_dollars=500.0),
    questions='data/coco/aspects/questions.json',
    top=50,
    max_side=512,
    concurrency=128,
)
dataloader = dict(batch_size=256)
writer = dict(out_dir='data/coco/aspects/gpt_decisions_regions', shard_size=1024)
