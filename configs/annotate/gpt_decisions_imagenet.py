# ImageNet-1k, training and validation, answered by OpenAI's decision model: 1,331,167 requests with 50 questions each.
# python tools/annotate.py configs/annotate/gpt_decisions_imagenet.py --estimate
# python tools/annotate.py configs/annotate/gpt_decisions_imagenet.py
# The questions come from tools/write_questions.py, or are written by hand. Images are shrunk to what ResNets train on.
_base_ = ['../_base_/annotate.py', '../_base_/annotators/gpt_decisions.py', '../_base_/datasets/imagenet_annotate.py']

model = dict(
    client=dict(max_dollars=500.0),
    questions='data/imagenet/aspects/questions.json',
    top=50,
    max_side=512,
    concurrency=128,
)
dataloader = dict(batch_size=256, num_workers=8)
writer = dict(out_dir='data/imagenet/aspects/gpt_decisions', shard_size=1024)
